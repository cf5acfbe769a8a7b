package dev.gossamer.lm.serve;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalDouble;
import java.util.PriorityQueue;

/**
 * How likely the model held a token to be, before anything that changes the choice.
 *
 * @param logProbability natural; empty of a text's first token, which nothing predicts
 * @param likeliest the most likely tokens at its place, the most likely first
 */
record TokenScore(int id, OptionalDouble logProbability, List<Candidate> likeliest) {
  /** A token that could stand there. */
  record Candidate(int id, double logProbability) {}

  TokenScore {
    likeliest = List.copyOf(likeliest);
  }

  /** Of a token that nothing stands before. */
  static TokenScore ofFirst(int id) {
    return new TokenScore(id, OptionalDouble.empty(), List.of());
  }

  /**
   * @param logits of the vocabulary at the token's place
   * @param count of likeliest ones
   */
  static TokenScore of(int id, double[] logits, int count) {
    double top = Arrays.stream(logits).max().orElseThrow();
    double sum = 0;
    for (double logit : logits) {
      sum += Math.exp(logit - top);
    }
    double whole = top + Math.log(sum);
    List<Candidate> likeliest = new ArrayList<>();
    for (int each : highest(logits, count)) {
      likeliest.add(new Candidate(each, logits[each] - whole));
    }
    return new TokenScore(id, OptionalDouble.of(logits[id] - whole), likeliest);
  }

  /** The highest first, the lower id of equal ones. */
  private static List<Integer> highest(double[] logits, int count) {
    Comparator<Integer> better =
        Comparator.<Integer>comparingDouble(id -> -logits[id]).thenComparing(id -> id);
    PriorityQueue<Integer> kept = new PriorityQueue<>(better.reversed());
    for (int id = 0; id < logits.length && count > 0; id++) {
      if (kept.size() < count) {
        kept.add(id);
      } else if (better.compare(id, kept.element()) < 0) {
        kept.remove();
        kept.add(id);
      }
    }
    List<Integer> sorted = new ArrayList<>(kept);
    sorted.sort(better);
    return sorted;
  }
}
