package dev.gossamer.video;

import dev.gossamer.attention.AttentionReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.function.ToIntFunction;

/**
 * What the self-attentions of a video did, as the report tells it. Means run over steps, branches
 * and layers as the case may be; a call that was computed in full has density 1.
 *
 * @param density share of all query-key pairs that were computed exactly
 * @param pseudoKeys further share spent on one point per cluster (the tail)
 * @param seconds of all calls, summed; branches that ran side by side count twice
 * @param recall estimated share of attention mass inside the exact pairs; NaN if not measured
 * @param clusters key clusters over the layers that cluster
 * @param denseLayers layers of which every call was computed in full
 * @param denseCalls calls computed in full, by reason
 * @param perLayer one entry per layer
 * @param perStep one entry per step
 */
public record AttentionSummary(
    double density,
    double pseudoKeys,
    double seconds,
    double recall,
    Clusters clusters,
    List<Integer> denseLayers,
    Map<String, Long> denseCalls,
    List<Layer> perLayer,
    List<Step> perStep) {

  /** Smallest, middle and largest number of key clusters of a layer; 0 if none clusters. */
  public record Clusters(int min, int median, int max) {}

  /**
   * One layer.
   *
   * @param densityByStep mean over branches for each step
   * @param recallByStep likewise; NaN where not measured
   */
  public record Layer(
      int layer,
      double density,
      double pseudoKeys,
      double recall,
      int queryClusters,
      int keyClusters,
      double seconds,
      List<Double> densityByStep,
      List<Double> recallByStep) {}

  /** One step, over all layers and branches. */
  public record Step(int step, double density, double pseudoKeys, double recall, double seconds) {}

  static AttentionSummary of(AttentionReport report) {
    List<AttentionReport.Call> calls = report.calls();
    Map<Integer, List<AttentionReport.Call>> layers = grouped(calls, AttentionReport.Call::layer);
    List<Layer> perLayer = new ArrayList<>();
    layers.forEach((layer, own) -> perLayer.add(layer(layer, own)));
    List<Step> perStep = new ArrayList<>();
    grouped(calls, AttentionReport.Call::step)
        .forEach(
            (step, own) ->
                perStep.add(
                    new Step(
                        step,
                        mean(own, AttentionReport.Call::density),
                        mean(own, AttentionReport.Call::pseudoKeys),
                        recall(own),
                        seconds(own))));
    Map<String, Long> denseCalls = new TreeMap<>();
    calls.stream()
        .filter(call -> !call.dense().isEmpty())
        .forEach(call -> denseCalls.merge(call.dense(), 1L, Long::sum));
    List<Integer> denseLayers =
        perLayer.stream().filter(layer -> layer.keyClusters() == 0).map(Layer::layer).toList();
    return new AttentionSummary(
        report.density(),
        report.pseudoKeys(),
        report.seconds(),
        recall(calls),
        clusters(perLayer),
        denseLayers,
        denseCalls,
        perLayer,
        perStep);
  }

  private static Layer layer(int layer, List<AttentionReport.Call> own) {
    List<AttentionReport.Call> clustered =
        own.stream().filter(call -> call.dense().isEmpty()).toList();
    List<Double> density = new ArrayList<>();
    List<Double> recall = new ArrayList<>();
    grouped(own, AttentionReport.Call::step)
        .forEach(
            (step, calls) -> {
              density.add(mean(calls, AttentionReport.Call::density));
              recall.add(recall(calls));
            });
    return new Layer(
        layer,
        mean(own, AttentionReport.Call::density),
        mean(own, AttentionReport.Call::pseudoKeys),
        recall(own),
        (int) Math.round(mean(clustered, AttentionReport.Call::queryClusters)),
        (int) Math.round(mean(clustered, AttentionReport.Call::keyClusters)),
        seconds(own),
        density,
        recall);
  }

  private static Clusters clusters(List<Layer> layers) {
    int[] counts =
        layers.stream().mapToInt(Layer::keyClusters).filter(count -> count > 0).sorted().toArray();
    return counts.length == 0
        ? new Clusters(0, 0, 0)
        : new Clusters(counts[0], counts[counts.length / 2], counts[counts.length - 1]);
  }

  private static Map<Integer, List<AttentionReport.Call>> grouped(
      List<AttentionReport.Call> calls, ToIntFunction<AttentionReport.Call> by) {
    Map<Integer, List<AttentionReport.Call>> groups = new TreeMap<>();
    calls.forEach(
        call -> groups.computeIfAbsent(by.applyAsInt(call), key -> new ArrayList<>()).add(call));
    return groups;
  }

  private static double mean(
      List<AttentionReport.Call> calls, ToDoubleFunction<AttentionReport.Call> of) {
    return calls.stream().mapToDouble(of).average().orElse(0);
  }

  /** Over the calls that measured it. */
  private static double recall(List<AttentionReport.Call> calls) {
    return calls.stream()
        .mapToDouble(AttentionReport.Call::recall)
        .filter(value -> !Double.isNaN(value))
        .average()
        .orElse(Double.NaN);
  }

  private static double seconds(List<AttentionReport.Call> calls) {
    return calls.stream().mapToDouble(AttentionReport.Call::seconds).sum();
  }
}
