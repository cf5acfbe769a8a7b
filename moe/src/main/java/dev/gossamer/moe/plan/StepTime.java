package dev.gossamer.moe.plan;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where the time of a step goes, seconds.
 *
 * @param dense attention, gate, shared experts, head
 * @param experts routed experts
 * @param projections BigMac's descent and ascent
 * @param exposed all-to-all that nothing hides
 * @param hidden all-to-all that runs beside experts; no part of the step
 * @param allReduce exchange of gradients
 * @param optimizer update of the weights
 * @param overhead what the cluster's profile adds per layer
 */
public record StepTime(
    double dense,
    double experts,
    double projections,
    double exposed,
    double hidden,
    double allReduce,
    double optimizer,
    double overhead) {

  /** The whole step. */
  public double total() {
    return dense + experts + projections + exposed + allReduce + optimizer + overhead;
  }

  /** Share of the step that waits for all-to-all, 0 to 1. */
  public double share() {
    return exposed / total();
  }

  /** As a JSON document, milliseconds. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("totalMillis", 1e3 * total());
    document.put("denseMillis", 1e3 * dense);
    document.put("expertsMillis", 1e3 * experts);
    document.put("projectionsMillis", 1e3 * projections);
    document.put("allToAllExposedMillis", 1e3 * exposed);
    document.put("allToAllHiddenMillis", 1e3 * hidden);
    document.put("allReduceMillis", 1e3 * allReduce);
    document.put("optimizerMillis", 1e3 * optimizer);
    document.put("overheadMillis", 1e3 * overhead);
    document.put("allToAllShare", share());
    return document;
  }
}
