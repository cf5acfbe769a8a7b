package dev.gossamer.moe;

/** What an expert does between its two widths. */
public enum ExpertBody {
  /** {@code W2 act(W1 z)}: two matrices. */
  PLAIN(2),
  /** {@code W2 (act(Wg z) * (Wu z))}: three matrices. */
  GATED(3);

  private final int matrices;

  ExpertBody(int matrices) {
    this.matrices = matrices;
  }

  /** Matrices of one expert ({@code g}), each with inputs times inner width weights. */
  public int matrices() {
    return matrices;
  }
}
