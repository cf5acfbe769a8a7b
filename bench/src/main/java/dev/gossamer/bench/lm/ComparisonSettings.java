package dev.gossamer.bench.lm;

import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.List;

/**
 * What is compared.
 *
 * @param model whose structures are compared
 * @param training all else, the same for every contestant; its seed is the first
 * @param contestants who takes part
 * @param seeds how many times everything is trained, with other weights and another order of the
 *     samples
 * @param rateCheck whether fine-grained is trained at half and twice the learning rate besides
 * @param data folder of tokens
 * @param out where everything is written
 */
public record ComparisonSettings(
    ComparedModel model,
    TrainSettings training,
    List<Contestant> contestants,
    int seeds,
    boolean rateCheck,
    Path data,
    Path out) {
  public ComparisonSettings {
    if (seeds < 1) {
      throw new UsageException(seeds + " seeds", "Use 2 or more for intervals, 1 for none");
    }
    contestants = List.copyOf(contestants);
    if (contestants.stream().distinct().count() < contestants.size()) {
      throw new UsageException("An arm is named twice in --arms", "Name each once");
    }
  }

  /** Sizes of all contestants; refuses those that cannot be compared. */
  public MatchingCheck matching() {
    return MatchingCheck.of(model, contestants, training.sequence());
  }

  /** The run of a contestant with the seed of this number, from 0. */
  TrainSettings run(Contestant contestant, int number) {
    return training.withModel(model.of(contestant)).withSeed(training.seed() + number);
  }

  /** Fine-grained at another learning rate, with the first seed. */
  TrainSettings atRate(double times) {
    return run(Contestant.FINE_GRAINED, 0).withOptimizer(training.optimizer().withRate(times));
  }

  /** Tokens that a run learns from. */
  long tokens() {
    return (long) training.steps() * training.batch() * training.sequence();
  }
}
