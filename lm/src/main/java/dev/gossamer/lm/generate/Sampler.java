package dev.gossamer.lm.generate;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Chooses the tokens of one text. It remembers what was there, for the penalties; used by one
 * thread.
 */
public final class Sampler {
  private final SamplingSettings settings;
  private final SplittableRandom random;
  private final Map<Integer, Integer> generated = new HashMap<>();
  private final Map<Integer, Integer> seen = new HashMap<>();

  /**
   * @param prompt whose tokens the repetition penalty counts too
   */
  public Sampler(SamplingSettings settings, int[] prompt) {
    this.settings = settings;
    this.random = new SplittableRandom(settings.seed());
    for (int id : prompt) {
      seen.merge(id, 1, Integer::sum);
    }
  }

  /**
   * The next token, which is remembered.
   *
   * @param logits of the vocabulary; not changed
   */
  public int next(double[] logits) {
    double[] adjusted = logits.clone();
    settings.logitBias().forEach((id, bias) -> adjusted[id] += bias);
    penalise(adjusted);
    int chosen = settings.temperature() == 0 ? highest(adjusted) : drawn(adjusted);
    generated.merge(chosen, 1, Integer::sum);
    seen.merge(chosen, 1, Integer::sum);
    return chosen;
  }

  private void penalise(double[] logits) {
    double repetition = settings.repetitionPenalty();
    if (repetition != 1) {
      for (int id : seen.keySet()) {
        logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
      }
    }
    generated.forEach(
        (id, times) ->
            logits[id] -= settings.presencePenalty() + times * settings.frequencyPenalty());
  }

  private static int highest(double[] logits) {
    int best = 0;
    for (int id = 1; id < logits.length; id++) {
      if (logits[id] > logits[best]) {
        best = id;
      }
    }
    return best;
  }

  private int drawn(double[] logits) {
    double[] shares = shares(logits);
    double left = random.nextDouble();
    int last = -1;
    for (int id = 0; id < shares.length; id++) {
      if (shares[id] > 0) {
        left -= shares[id];
        last = id;
        if (left < 0) {
          return id;
        }
      }
    }
    return last; // rounding left a little over
  }

  /** Probabilities after temperature and what cuts off the unlikely; they add up to 1. */
  double[] shares(double[] logits) {
    double top = logits[highest(logits)];
    double[] shares = new double[logits.length];
    double sum = 0;
    for (int id = 0; id < shares.length; id++) {
      shares[id] = Math.exp((logits[id] - top) / settings.temperature());
      sum += shares[id];
    }
    for (int id = 0; id < shares.length; id++) {
      shares[id] /= sum;
    }
    if (settings.topK() > 0 && settings.topK() < shares.length || settings.topP() < 1) {
      keepLikeliest(shares);
    }
    double least = settings.minP() * shares[highest(shares)];
    double kept = 0;
    for (int id = 0; id < shares.length; id++) {
      shares[id] = shares[id] < least ? 0 : shares[id];
      kept += shares[id];
    }
    for (int id = 0; id < shares.length; id++) {
      shares[id] /= kept;
    }
    return shares;
  }

  /** Those before others by probability, then by id, until there are enough. */
  private void keepLikeliest(double[] shares) {
    Integer[] order = new Integer[shares.length];
    for (int id = 0; id < order.length; id++) {
      order[id] = id;
    }
    Arrays.sort(
        order, (a, b) -> shares[a] != shares[b] ? Double.compare(shares[b], shares[a]) : a - b);
    int most = settings.topK() == 0 ? order.length : Math.min(settings.topK(), order.length);
    double ofMost = 0;
    for (int i = 0; i < most; i++) {
      ofMost += shares[order[i]];
    }
    double sum = 0;
    for (int i = 0; i < order.length; i++) {
      boolean enough = i >= most || sum >= settings.topP() * ofMost;
      sum += i < most ? shares[order[i]] : 0;
      if (enough) {
        shares[order[i]] = 0;
      }
    }
  }
}
