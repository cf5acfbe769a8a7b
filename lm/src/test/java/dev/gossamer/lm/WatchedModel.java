package dev.gossamer.lm;

import dev.gossamer.moe.router.Choice;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Comparator;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * What one forward pass of whole sequences comes by, as numbers.
 *
 * @param logits {@code [rows, vocabulary]}
 * @param streams after each layer, {@code [rows, hidden]}
 * @param experts that each token visits by layers that have some, ascending, token after token
 * @param weights likewise
 */
public record WatchedModel(
    double[] logits,
    Map<Integer, double[]> streams,
    Map<Integer, int[]> experts,
    Map<Integer, double[]> weights) {
  public static WatchedModel of(LanguageModel model, int[] ids, int sequences) {
    Map<Integer, double[]> streams = new TreeMap<>();
    Map<Integer, int[]> experts = new TreeMap<>();
    Map<Integer, double[]> weights = new TreeMap<>();
    LanguageModel.Watcher watcher =
        new LanguageModel.Watcher() {
          @Override
          public void stream(int layer, Tensor rows) {
            streams.put(layer, rows.toDoubles());
          }

          @Override
          public void choice(int layer, Choice choice) {
            int k = choice.routing().topK();
            int[] found = choice.routing().expert();
            double[] unsorted = choice.weights().toDoubles();
            int[] slots =
                IntStream.range(0, found.length)
                    .boxed()
                    .sorted(
                        Comparator.comparingInt((Integer slot) -> slot / k)
                            .thenComparingInt(slot -> found[slot]))
                    .mapToInt(Integer::intValue)
                    .toArray();
            experts.put(layer, IntStream.of(slots).map(slot -> found[slot]).toArray());
            weights.put(layer, IntStream.of(slots).mapToDouble(slot -> unsorted[slot]).toArray());
          }
        };
    try (Scope scope = Scope.open()) {
      Rows rows = Rows.whole(sequences, ids.length / sequences, 0);
      double[] logits = model.logits(ids, rows, watcher).toDoubles();
      return new WatchedModel(logits, streams, experts, weights);
    }
  }
}
