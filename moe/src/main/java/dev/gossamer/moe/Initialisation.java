package dev.gossamer.moe;

/**
 * How weights are drawn: normal, with deviations that keep the stream's size.
 *
 * @param fixed deviation of every matrix, or 0 for one over the square root of its inputs
 * @param layers of the model, over which the matrices that write to the stream are scaled down
 */
public record Initialisation(double fixed, int layers) {
  public Initialisation {
    if (fixed < 0 || layers < 1) {
      throw new IllegalArgumentException("Deviation " + fixed + " over " + layers + " layers");
    }
  }

  /** By the number of inputs: narrow experts then start as lively as wide ones. */
  public static Initialisation fanIn(int layers) {
    return new Initialisation(0, layers);
  }

  /** 0.02 everywhere, as the paper's Megatron does. */
  public static Initialisation paper(int layers) {
    return new Initialisation(0.02, layers);
  }

  /** Of a matrix by the number of its inputs. */
  public double ofInput(long in) {
    return fixed > 0 ? fixed : 1 / Math.sqrt(in);
  }

  /** Of an expert's last matrix. */
  double ofExpertOutput(long in) {
    return fixed > 0 ? toStream(in) : ofInput(in);
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
