package dev.gossamer.moe;

import dev.gossamer.tensor.failure.UsageException;

/**
 * The shape of one mixture-of-experts layer: which widths there are, how many experts, how many of
 * them a token visits. Whatever does not change a shape (router, activation, biases, norms) is not
 * here. Symbols are those of BigMac (arXiv 2502.16927): {@code h} hidden width, {@code e} experts,
 * {@code k} experts per token, {@code r} the ratio of latent to hidden width.
 */
public sealed interface MoeStructure {
  /** Width of the residual stream, {@code h}. */
  int hidden();

  /** Routed experts, {@code e}. */
  int experts();

  /** Routed experts that a token visits, {@code k}. */
  int topK();

  /** Width inside an expert, {@code f}. */
  int inner();

  /** Plain or gated experts. */
  ExpertBody body();

  /** Width of a row that travels to an expert and back, which is what an expert reads and gives. */
  int wireWidth();

  /** Weights of the projections that all tokens share; zero unless the structure has some. */
  default long projectionWeights() {
    return 0;
  }

  /** Weights of the gate, which reads the hidden width. */
  default long gateWeights() {
    return (long) experts() * hidden();
  }

  /** Weights of one routed expert, without biases. */
  default long weightsPerExpert() {
    return (long) body().matrices() * wireWidth() * inner();
  }

  /** Biases of one routed expert, if it has them: one per output of each of its matrices. */
  default long biasesPerExpert() {
    return (long) (body().matrices() - 1) * inner() + wireWidth();
  }

  /** Weights of all routed experts, without biases. */
  default long expertWeights() {
    return experts() * weightsPerExpert();
  }

  /** Weights of the layer that one token meets: its experts, the gate, the projections. */
  default long activeWeights() {
    return topK() * weightsPerExpert() + gateWeights() + projectionWeights();
  }

  /** Numbers that one token puts on the wire in one all-to-all, those that stay included. */
  default long wireElementsPerToken() {
    return (long) topK() * wireWidth();
  }

  /** Few wide experts, tokens travel at the hidden width (GShard, Switch). */
  record Vanilla(int hidden, int experts, int topK, int inner, ExpertBody body)
      implements MoeStructure {
    public Vanilla {
      check(hidden, experts, topK, inner);
    }

    @Override
    public int wireWidth() {
      return hidden;
    }
  }

  /**
   * Many narrow experts, tokens travel at the hidden width: communicate, descend, ascend,
   * communicate (DeepSeekMoE).
   */
  record FineGrained(int hidden, int experts, int topK, int inner, ExpertBody body)
      implements MoeStructure {
    public FineGrained {
      check(hidden, experts, topK, inner);
    }

    @Override
    public int wireWidth() {
      return hidden;
    }
  }

  /**
   * Tokens are narrowed once, travel narrow, and are widened once after their experts' outputs are
   * summed: descend, communicate, communicate, ascend.
   *
   * @param latent the narrow width, {@code w = r h}
   */
  record BigMac(int hidden, int latent, int experts, int topK, int inner, ExpertBody body)
      implements MoeStructure {
    public BigMac {
      check(hidden, experts, topK, inner);
      require(
          latent >= 1 && latent <= hidden,
          "latent width " + latent,
          "Use 1 to the hidden width, " + hidden);
    }

    @Override
    public int wireWidth() {
      return latent;
    }

    @Override
    public long projectionWeights() {
      return 2L * hidden * latent;
    }

    /** Latent over hidden width, {@code r}. */
    public double ratio() {
      return (double) latent / hidden;
    }
  }

  private static void check(int hidden, int experts, int topK, int inner) {
    require(hidden >= 1, "hidden width " + hidden, "Use 1 or more");
    require(experts >= 1, experts + " experts", "Use 1 or more");
    require(
        topK >= 1 && topK <= experts,
        "top-" + topK + " of " + experts + " experts",
        "Use 1 to " + experts);
    require(inner >= 1, "inner width " + inner, "Use 1 or more");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No mixture of experts has " + found, remedy);
    }
  }
}
