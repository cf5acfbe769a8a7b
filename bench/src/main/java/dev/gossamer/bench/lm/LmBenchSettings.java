package dev.gossamer.bench.lm;

import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.Words;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What {@link LmBench} measures.
 *
 * @param cases one for each top-k
 * @param measures what is timed of each
 * @param prompt tokens behind which texts go on
 * @param lengths how many tokens follow, each a measurement; in rising order
 * @param texts that each rank continues at once
 * @param runs measurements of each structure
 */
public record LmBenchSettings(
    List<LmCase> cases,
    Set<Measure> measures,
    int prompt,
    List<Integer> lengths,
    int texts,
    int runs) {
  /**
   * @throws UsageException if there is nothing to measure, or the context does not hold the texts
   */
  public LmBenchSettings {
    cases = List.copyOf(cases);
    measures = Collections.unmodifiableSet(new TreeSet<>(measures));
    lengths = List.copyOf(new TreeSet<>(lengths));
    if (cases.isEmpty() || measures.isEmpty() || lengths.isEmpty()) {
      throw new UsageException(
          "There is nothing to measure without a top-k, a measure and a length",
          "Name one or more of each");
    }
    requirePositive(prompt, "tokens of a prompt");
    requirePositive(lengths.get(0), "generated tokens");
    requirePositive(texts, "texts");
    requirePositive(runs, "runs");
    for (LmCase one : cases) {
      int context = one.training().model().context();
      if ((long) prompt + Collections.max(lengths) > context) {
        throw new UsageException(
            String.format(
                "%d tokens behind a prompt of %d do not fit a context of %d",
                Collections.max(lengths), prompt, context),
            "Use fewer, or a larger model.context");
      }
    }
  }

  private static void requirePositive(int number, String what) {
    if (number < 1) {
      throw new UsageException(
          "There is nothing to measure with " + number + " " + what, "Use 1 or more");
    }
  }

  /** Tokens that follow at most. */
  int longest() {
    return lengths.get(lengths.size() - 1);
  }

  /** The same as an object of JSON. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("topK", cases.stream().map(LmCase::top).toList());
    document.put(
        "arms",
        cases.get(0).matching().rows().stream().map(row -> row.contestant().word()).toList());
    document.put("measures", measures.stream().map(Words::of).toList());
    document.put("prompt", prompt);
    document.put("lengths", lengths);
    document.put("textsOfARank", texts);
    document.put("runs", runs);
    document.put("training", cases.get(0).training().document());
    return document;
  }
}
