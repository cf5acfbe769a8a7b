package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a rank must hold at the end of a forward pass, bytes. Buffers of the libraries, and what the
 * allocator loses, come on top.
 *
 * @param state weights, gradients, master weights and moments
 * @param dense activations of attention, norms and logits
 * @param rows rows of the experts: received ones, inner ones, and those that came back
 */
public record MemoryNeed(double state, double dense, double rows) {
  private static final int WORKING = 4; // a weight and its gradient, 16 bits each
  private static final int UPDATE = 12; // master weight and two moments, 32 bits each
  private static final int NUMBER = 2; // activations are 16 bits wide
  private static final int LOGIT = 4; // the loss is computed in 32 bits
  // Per token and layer: input, normed, query, key, value, context, sum, normed.
  private static final int WIDTHS = 8;

  /**
   * State takes 16 bytes per parameter that is trained (also in fp32: 4 + 4 + 8), 2 in a forward
   * pass. A routed row keeps, where its expert is, what arrived and the inner width before and, if
   * kept, after activation; where it came from, what came back. Attention never keeps its scores.
   */
  static MemoryNeed of(
      PlannedModel model, MoeStructure structure, Placement group, PlanSettings settings) {
    TransformerCount count = new TransformerCount(model, structure);
    int replicas = settings.ranks() / group.ranks();
    double experts = (double) count.expertParameters() / group.ranks();
    boolean train = settings.phase() == Phase.TRAIN;
    double state =
        train
            ? count.sharedParameters() * perParameter(settings, settings.ranks())
                + experts * perParameter(settings, replicas)
            : NUMBER * (count.sharedParameters() + experts);
    double kept = train ? model.layers() : 1; // a forward pass forgets a layer after the next
    double tokens = settings.tokens();
    double dense =
        kept * tokens * WIDTHS * model.hidden() * NUMBER
            + tokens * model.vocabulary() * (train ? LOGIT : 0);
    double arrived = elementsPerRow(structure, settings.activations()) - structure.wireWidth();
    double narrow = structure.projectionWeights() > 0 ? 2.0 * structure.wireWidth() : 0;
    double perToken =
        structure.topK() * (settings.imbalance() * arrived + structure.wireWidth()) + narrow;
    return new MemoryNeed(state, dense, kept * tokens * perToken * NUMBER);
  }

  /** Numbers that one routed row keeps, both ends together, with balanced routing. */
  public static double elementsPerRow(
      MoeStructure structure, PlanSettings.Activations activations) {
    int before = structure.body().matrices() - 1; // a gated expert has two inner rows to keep
    int after = activations == PlanSettings.Activations.KEPT ? 1 : 0;
    return 2.0 * structure.wireWidth() + (double) (before + after) * structure.inner();
  }

  private static double perParameter(PlanSettings settings, int sharers) {
    return settings.optimizer() == PlanSettings.Optimizer.SHARDED
        ? WORKING + (double) UPDATE / sharers
        : WORKING + UPDATE;
  }

  public double total() {
    return state + dense + rows;
  }

  /** As a JSON document. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("totalBytes", Math.round(total()));
    document.put("stateBytes", Math.round(state));
    document.put("denseActivationBytes", Math.round(dense));
    document.put("expertRowBytes", Math.round(rows));
    return document;
  }
}
