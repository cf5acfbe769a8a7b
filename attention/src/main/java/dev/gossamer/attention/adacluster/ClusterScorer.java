package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Says how much each query group wants each key cluster. */
public sealed interface ClusterScorer
    permits TensorQuest, CentroidMass, PseudoQuest, QueryMass, ExpectedError {
  /**
   * @return float32 {@code [groups, clusters]}, higher is wanted more; values for empty clusters
   *     are ignored. Only the order within a row counts.
   */
  Tensor score(ScoredHead head);

  /** The name in settings, for example {@code expectedError}; {@link #parse} reads it. */
  String name();

  /**
   * Reads the name of a scorer; behind those that ask the queries themselves may stand how many of
   * each group are asked: {@code expectedError}, {@code queryMass(64)}, {@code queryMass(all)}.
   *
   * @throws UsageException if there is no such scorer
   */
  static ClusterScorer parse(String text) {
    Matcher parts = Pattern.compile("(\\w+)(?:\\((\\d{1,9}|all)\\))?").matcher(text.trim());
    boolean asks = parts.matches() && parts.group(2) != null;
    QueryMass mass =
        !asks
            ? new QueryMass()
            : new QueryMass(
                parts.group(2).equals("all") ? QueryMass.ALL : Integer.parseInt(parts.group(2)));
    Map<String, ClusterScorer> byName = new LinkedHashMap<>();
    byName.put("expectedError", new ExpectedError(mass));
    byName.put("queryMass", mass);
    if (!asks) {
      byName.put("tensorQuest", new TensorQuest());
      byName.put("centroidMass", new CentroidMass());
      byName.put("pseudoQuest", new PseudoQuest());
    }
    return byName.entrySet().stream()
        .filter(entry -> parts.matches() && entry.getKey().equalsIgnoreCase(parts.group(1)))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElseThrow(
            () ->
                new UsageException(
                    "Unknown scorer '" + text + "'",
                    "Use one of: " + String.join(", ", byName.keySet())));
  }
}
