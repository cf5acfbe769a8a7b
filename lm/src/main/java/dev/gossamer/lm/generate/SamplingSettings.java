package dev.gossamer.lm.generate;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Map;

/**
 * How the next token is chosen of a model's logits; applied in the order in which they stand here.
 *
 * @param logitBias added to the logits of some tokens
 * @param repetitionPenalty by which logits of tokens that were there are divided, those below 0
 *     multiplied; 1 for none
 * @param presencePenalty taken from the logits of tokens that were generated
 * @param frequencyPenalty likewise for each time
 * @param temperature by which logits are divided; 0 takes the highest, the lower id of equal ones
 * @param topK only so many of the most likely; 0 for all
 * @param topP only the most likely that together have this probability; 1 for all
 * @param minP only those with at least this share of the most likely one's probability; 0 for all
 * @param seed of the choice
 */
public record SamplingSettings(
    Map<Integer, Double> logitBias,
    double repetitionPenalty,
    double presencePenalty,
    double frequencyPenalty,
    double temperature,
    int topK,
    double topP,
    double minP,
    long seed) {
  /** The most likely token, always. */
  public static final SamplingSettings GREEDY =
      new SamplingSettings(Map.of(), 1, 0, 0, 0, 0, 1, 0, 0);

  /**
   * @throws UsageException if a value is out of its range
   */
  public SamplingSettings {
    logitBias = Map.copyOf(logitBias);
    require(repetitionPenalty > 0, "a repetition penalty of " + repetitionPenalty, "above 0");
    require(
        Math.abs(presencePenalty) <= 2 && Math.abs(frequencyPenalty) <= 2,
        "penalties of " + presencePenalty + " and " + frequencyPenalty,
        "-2 to 2");
    require(temperature >= 0 && temperature <= 100, "a temperature of " + temperature, "0 to 100");
    require(topK >= 0, "the top " + topK + " tokens", "0 for all, or more");
    require(topP > 0 && topP <= 1, "a top-p of " + topP, "above 0 to 1");
    require(minP >= 0 && minP <= 1, "a min-p of " + minP, "0 to 1");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("Tokens cannot be chosen by " + found, "Use " + remedy);
    }
  }
}
