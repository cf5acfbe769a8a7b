package dev.gossamer.moe;

/**
 * How weights are drawn: normal, with deviations that keep the stream's size.
 *
 * @param start by which rule
 * @param layers of the model, over which the matrices that write to the stream are scaled down
 */
public record Initialisation(Start start, int layers) {
  private static final double FIXED = 0.02;

  /** Where deviations come from. */
  public enum Start {
    /** The number of inputs: narrow experts then start as lively as wide ones. */
    FAN_IN,
    /**
     * Likewise, and BigMac's ascending matrix is no smaller in a deeper model. Experts of the other
     * structures write to the stream without such a scale under {@link #FAN_IN} too, so that all
     * branches start equally large.
     */
    LEVEL,
    /** 0.02 everywhere, as the paper's Megatron does. */
    PAPER
  }

  public Initialisation {
    if (layers < 1) {
      throw new IllegalArgumentException(layers + " layers");
    }
  }

  public static Initialisation fanIn(int layers) {
    return new Initialisation(Start.FAN_IN, layers);
  }

  /** Of a matrix by the number of its inputs. */
  public double ofInput(long in) {
    return start == Start.PAPER ? FIXED : 1 / Math.sqrt(in);
  }

  /** Of an expert's last matrix. */
  double ofExpertOutput(long in) {
    return start == Start.PAPER ? toStream(in) : ofInput(in);
  }

  /** Of BigMac's last matrix. */
  double ofAscent(long in) {
    return start == Start.LEVEL ? ofInput(in) : toStream(in);
  }

  /** Of a matrix that writes to the stream. */
  public double toStream(long in) {
    return ofInput(in) / Math.sqrt(2.0 * layers);
  }

  /** Of the gate. */
  double ofGate() {
    return 0.02;
  }
}
