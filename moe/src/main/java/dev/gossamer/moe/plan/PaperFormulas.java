package dev.gossamer.moe.plan;

/**
 * The formulas of BigMac's Table 3 as they are printed, per iteration. {@link TransformerCount}
 * counts the same models exactly. Where the two differ: the biases of an expert are {@code (1+r)h},
 * the formula has {@code 2rh}; the formula counts the gate's {@code eh} once, not per layer, and
 * leaves its operations out.
 *
 * @param hidden {@code h}
 * @param layers {@code l}
 * @param experts {@code e}
 * @param topK {@code k}
 * @param ratio {@code r}
 * @param vocabulary {@code v}
 * @param sequence tokens of a sequence, {@code s}
 * @param sequences sequences of an iteration, {@code b}
 * @param ranks ranks that share the experts, {@code ep}
 */
public record PaperFormulas(
    int hidden,
    int layers,
    int experts,
    int topK,
    double ratio,
    int vocabulary,
    int sequence,
    int sequences,
    int ranks) {

  /** For a model of the paper, 256 sequences on 32 ranks: with these its Table 4 comes out. */
  public static PaperFormulas ofTable4(PlannedModel model) {
    return new PaperFormulas(
        model.hidden(),
        model.layers(),
        model.experts().experts(),
        model.experts().topK(),
        model.ratio(),
        model.vocabulary(),
        model.sequence(),
        256,
        32);
  }

  /** {@code (4h^2 + 8h + (2rh^2 + 2rh)e) l + (v + e + 2)h}, and {@code 2rlh^2} for BigMac. */
  public double parameters(StructureKind kind) {
    double h = hidden;
    double layer = 4 * h * h + 8 * h + (2 * ratio * h * h + 2 * ratio * h) * experts;
    return layer * layers
        + (vocabulary + experts + 2) * h
        + (narrow(kind) ? 2 * ratio * layers * h * h : 0);
  }

  /** {@code 12bslh^2 (2 + s/h + v/(2lh) + rk)}, and {@code 12rbslh^2} for BigMac. */
  public double flops(StructureKind kind) {
    double h = hidden;
    double unit = 12 * tokens() * layers * h * h;
    return unit * (2 + sequence / h + vocabulary / (2 * layers * h) + ratio * topK)
        + (narrow(kind) ? unit * ratio : 0);
  }

  /** {@code 8bslh k (ep-1)/ep} bytes, times {@code r} for BigMac. */
  public double allToAllBytes(StructureKind kind) {
    return 8 * tokens() * layers * hidden * topK * (ranks - 1) / ranks * (narrow(kind) ? ratio : 1);
  }

  /** Tokens of an iteration. */
  public double tokens() {
    return (double) sequences * sequence;
  }

  private static boolean narrow(StructureKind kind) {
    if (kind == StructureKind.VANILLA) {
      throw new IllegalArgumentException("Table 3 has no formula for the vanilla structure");
    }
    return kind == StructureKind.BIGMAC;
  }
}
