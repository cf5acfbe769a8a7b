package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;

/**
 * Parameters and operations of a whole model, counted one by one. Layers have attention of four
 * square matrices with biases, two norms with bias, and the mixture of experts, whose experts have
 * biases while gate and projections have none, as the paper's models; embedding and head share
 * their weights, positions are not counted.
 *
 * @param model the model
 * @param structure the form of its experts
 */
public record TransformerCount(PlannedModel model, MoeStructure structure) {

  /** All parameters. */
  public long parameters() {
    return sharedParameters() + expertParameters();
  }

  /** Parameters that one token meets; those of the embedding among them. */
  public long activeParameters() {
    return sharedParameters()
        + (long) model.layers()
            * structure.topK()
            * (structure.weightsPerExpert() + structure.biasesPerExpert());
  }

  /** Parameters that every rank holds: all but the routed experts. */
  public long sharedParameters() {
    long hidden = model.hidden();
    long layer =
        4 * hidden * hidden
            + 8 * hidden
            + structure.gateWeights()
            + structure.projectionWeights()
            + sharedExpertWeights();
    return model.layers() * layer + (model.vocabulary() + 2L) * hidden;
  }

  /** Parameters of the routed experts of all layers. */
  public long expertParameters() {
    return (long) model.layers()
        * structure.experts()
        * (structure.weightsPerExpert() + structure.biasesPerExpert());
  }

  private long sharedExpertWeights() {
    return (long) structure.body().matrices() * model.hidden() * model.sharedInner();
  }

  /**
   * Operations of attention, gate, shared experts and head for one token forward: {@code l (8h^2 +
   * 4sh + 2he + 2gh f_s) + 2hv}.
   */
  public double denseFlops() {
    double hidden = model.hidden();
    return model.layers()
            * (8 * hidden * hidden
                + 4 * hidden * model.sequence()
                + 2.0 * structure.gateWeights()
                + 2.0 * sharedExpertWeights())
        + 2 * hidden * model.vocabulary();
  }

  /** Operations of the routed experts for one token forward: {@code l 2k g W f}. */
  public double expertFlops() {
    return 2.0 * model.layers() * structure.topK() * structure.weightsPerExpert();
  }

  /** Operations of the projections for one token forward: {@code l 4hw}. */
  public double projectionFlops() {
    return 2.0 * model.layers() * structure.projectionWeights();
  }

  /** Operations for one token forward. */
  public double flops() {
    return denseFlops() + expertFlops() + projectionFlops();
  }
}
