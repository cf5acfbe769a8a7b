package dev.gossamer.bench.attention;

import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;

/**
 * What {@link AttentionBench} measures and how.
 *
 * @param subjects what is compared with dense attention
 * @param tokens lengths of a scaling sweep over the first frames of the largest captured head,
 *     ascending; empty for the captured heads themselves
 * @param heads heads of each case, all with the same content
 * @param threads processor threads that compute
 * @param runs measurements of each subject and rival, after the warm-up
 */
public record AttentionBenchSettings(
    List<AttentionSubject> subjects, List<Integer> tokens, int heads, int threads, int runs) {
  /**
   * @throws UsageException if there is nothing to measure, or a length that the captured head does
   *     not have
   */
  public AttentionBenchSettings {
    subjects = List.copyOf(subjects);
    tokens = tokens.stream().sorted().distinct().toList();
    for (int count : tokens) {
      try {
        CapturedHead.LARGE.prefix(count);
      } catch (IllegalArgumentException e) {
        throw new UsageException(
            "There is no captured sequence of " + count + " tokens",
            "Use multiples of 1024 up to 16384");
      }
    }
    if (subjects.isEmpty() || heads < 1 || threads < 1 || runs < 1) {
      throw new UsageException(
          "Nothing to measure: "
              + subjects.size()
              + " subjects, "
              + heads
              + " heads, "
              + threads
              + " threads, "
              + runs
              + " runs",
          "Use at least one of each");
    }
  }

  /**
   * The presets and the rivals at a quarter of the pairs, {@code default} at its own density; 4
   * heads, all cores, 7 runs.
   */
  public static AttentionBenchSettings defaults() {
    return new AttentionBenchSettings(
        AttentionSubject.parseAll("paper@.25,cluster@.25,default,svg2@.25,sparge@.25"),
        List.of(),
        4,
        Threads.available(),
        7);
  }

  public AttentionBenchSettings withSubjects(List<AttentionSubject> several) {
    return new AttentionBenchSettings(several, tokens, heads, threads, runs);
  }

  public AttentionBenchSettings withTokens(List<Integer> lengths) {
    return new AttentionBenchSettings(subjects, lengths, heads, threads, runs);
  }

  public AttentionBenchSettings withHeads(int count) {
    return new AttentionBenchSettings(subjects, tokens, count, threads, runs);
  }

  public AttentionBenchSettings withThreads(int count) {
    return new AttentionBenchSettings(subjects, tokens, heads, count, runs);
  }

  public AttentionBenchSettings withRuns(int count) {
    return new AttentionBenchSettings(subjects, tokens, heads, threads, count);
  }
}
