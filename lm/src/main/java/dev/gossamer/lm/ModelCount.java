package dev.gossamer.lm;

import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;

/**
 * Weights and operations of a model, counted from its settings: what {@link LanguageModel} holds,
 * biases and norms included.
 *
 * @param parameters all of them
 * @param activeParameters those that one token meets; all of the embedding among them
 * @param forwardFlops floating-point operations of one token forward in the longest sequence, two
 *     for each multiplication with a weight; attention as if it looked at every token, elementwise
 *     work left out. Backward takes twice as many
 */
public record ModelCount(long parameters, long activeParameters, double forwardFlops) {
  /** Of a model that reads sequences of so many tokens. */
  public static ModelCount of(ModelSettings model, int sequence) {
    long shared = vocabulary(model) + norm(model);
    long active = shared;
    long all = shared;
    double flops = 2.0 * model.vocabulary() * model.hidden();
    AttentionSettings attention = model.attention();
    long projections = projections(model);
    for (int layer = 0; layer < model.layers(); layer++) {
      long beside = 2 * norm(model) + projections + attentionExtras(attention);
      all += beside;
      active += beside;
      flops += 2.0 * projections + 2.0 * sequence * attention.heads() * pairWidth(attention);
      if (model.hasExperts(layer)) {
        MoeSettings moe = model.experts().orElseThrow();
        MoeStructure shape = moe.structure();
        long every = outsideExperts(moe);
        all += every + projectionExtras(moe) + shape.experts() * expert(moe);
        active += every + projectionExtras(moe) + shape.topK() * expert(moe);
        flops += 2.0 * (every + shape.topK() * shape.weightsPerExpert());
      } else {
        DenseSettings dense = model.dense();
        long weights = body(dense.body(), model.hidden(), dense.inner());
        all += weights;
        active += weights;
        flops += 2.0 * weights;
      }
    }
    return new ModelCount(all, active, flops);
  }

  private static long vocabulary(ModelSettings model) {
    long table = (long) model.vocabulary() * model.hidden();
    boolean learned = model.attention().positions() == Positions.LEARNED;
    return (model.tied() ? 1 : 2) * table + (learned ? (long) model.context() * model.hidden() : 0);
  }

  private static long norm(ModelSettings model) {
    return (model.norm() == NormKind.LAYER ? 2L : 1L) * model.hidden();
  }

  private static long projections(ModelSettings model) {
    long hidden = model.hidden();
    if (model.attention() instanceof AttentionSettings.Latent latent) {
      long queries = (long) latent.heads() * latent.headDim();
      long narrow = latent.queryRank();
      return (narrow == 0 ? queries * hidden : narrow * hidden + queries * narrow)
          + (latent.rank() + latent.rotaryDim()) * hidden
          + (long) latent.heads() * (latent.plainDim() + latent.valueDim()) * latent.rank()
          + (long) latent.heads() * latent.valueDim() * hidden;
    }
    AttentionSettings.Grouped grouped = (AttentionSettings.Grouped) model.attention();
    return (2L * grouped.heads() + 2L * grouped.kvHeads()) * grouped.headDim() * hidden;
  }

  private static long attentionExtras(AttentionSettings attention) {
    if (attention instanceof AttentionSettings.Latent latent) {
      return latent.queryRank() + latent.rank();
    }
    AttentionSettings.Grouped grouped = (AttentionSettings.Grouped) attention;
    long biases = (grouped.heads() + 2L * grouped.kvHeads()) * grouped.headDim();
    return (grouped.bias() ? biases : 0) + (grouped.headNorm() ? 2L * grouped.headDim() : 0);
  }

  /** Widths of a head's queries and values, both of which every pair of tokens multiplies. */
  private static int pairWidth(AttentionSettings attention) {
    return attention instanceof AttentionSettings.Latent latent
        ? latent.headDim() + latent.valueDim()
        : 2 * ((AttentionSettings.Grouped) attention).headDim();
  }

  /** Weights of gate, projections and shared expert, which every token is multiplied with. */
  private static long outsideExperts(MoeSettings moe) {
    MoeStructure shape = moe.structure();
    int gateWidth = moe.gateReadsLatent() ? shape.wireWidth() : shape.hidden();
    return (long) shape.experts() * gateWidth
        + shape.projectionWeights()
        + body(shape.body(), shape.hidden(), moe.shared().inner())
        + (moe.shared().gated() ? shape.hidden() : 0);
  }

  private static long projectionExtras(MoeSettings moe) {
    MoeStructure shape = moe.structure();
    return (moe.projectionBias() ? shape.hidden() + shape.wireWidth() : 0)
        + (moe.latentNorm() ? shape.wireWidth() : 0);
  }

  private static long expert(MoeSettings moe) {
    MoeStructure shape = moe.structure();
    return shape.weightsPerExpert() + (moe.expertBias() ? shape.biasesPerExpert() : 0);
  }

  private static long body(ExpertBody body, int width, int inner) {
    return (long) body.matrices() * width * inner;
  }
}
