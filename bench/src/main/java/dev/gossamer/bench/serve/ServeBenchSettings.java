package dev.gossamer.bench.serve;

import dev.gossamer.tensor.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * What is asked of a server.
 *
 * @param concurrency how many requests are under way at once, one case for each number
 * @param requests of each case
 * @param prompt tokens of a request's prompt
 * @param generate tokens that each is continued by
 * @param batch texts that our own server continues at once; empty: as many as the most clients
 * @param runs measurements of each case, in turn
 */
public record ServeBenchSettings(
    List<Integer> concurrency,
    int requests,
    int prompt,
    int generate,
    OptionalInt batch,
    int runs) {
  public static final ServeBenchSettings DEFAULT =
      new ServeBenchSettings(List.of(1, 4, 16, 64), 64, 64, 32, OptionalInt.empty(), 3);

  /**
   * @throws UsageException if a value is out of its range
   */
  public ServeBenchSettings {
    concurrency = List.copyOf(concurrency);
    require(
        !concurrency.isEmpty() && concurrency.stream().allMatch(at -> at >= 1 && at <= 1024),
        concurrency + " requests at once",
        "1 to 1024");
    require(requests >= 1, requests + " requests", "1 or more");
    require(prompt >= 1, "prompts of " + prompt + " tokens", "1 or more");
    require(generate >= 1, generate + " new tokens", "1 or more");
    require(runs >= 1, runs + " runs", "1 or more");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("A server cannot be measured with " + found, "Use " + remedy);
    }
  }

  /** The most requests at once. */
  int most() {
    return concurrency.stream().mapToInt(Integer::intValue).max().orElseThrow();
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("concurrency", concurrency);
    document.put("requests", requests);
    document.put("promptTokens", prompt);
    document.put("newTokens", generate);
    document.put("runs", runs);
    return document;
  }
}
