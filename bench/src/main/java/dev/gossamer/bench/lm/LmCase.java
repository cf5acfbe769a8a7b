package dev.gossamer.bench.lm;

import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.moe.MoeSettings;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The same training of several structures at one top-k.
 *
 * @param training all but the model
 * @param matching the models, fine-grained first
 */
public record LmCase(TrainSettings training, MatchingCheck matching) {
  /**
   * A configuration's case. Ranks take their share of a step's sequences at once, unless the
   * configuration says how many.
   *
   * @param data folder of tokens
   * @param ratio BigMac's latent over hidden width; if not given the configuration's, or 0.25
   * @param ranks that share the work
   * @throws dev.gossamer.tensor.failure.UsageException if it is of no model that can be compared
   */
  public static LmCase of(
      TrainConfig config,
      Path data,
      Optional<Double> ratio,
      List<Contestant> contestants,
      int ranks) {
    int batch = config.at("batch").asInt();
    boolean divides = batch % ranks == 0 && config.at("microBatch").isMissingNode();
    TrainConfig divided =
        divides ? config.with("microBatch", String.valueOf(batch / ranks)) : config;
    TrainSettings training = divided.settings(data);
    ComparedModel model = ComparedModel.of(divided, data, ratio);
    return new LmCase(training, MatchingCheck.of(model, contestants, training.sequence()));
  }

  /** Experts that a token of the fine-grained model visits. */
  int top() {
    return matching
        .row(Contestant.FINE_GRAINED)
        .model()
        .experts()
        .map(MoeSettings::structure)
        .orElseThrow()
        .topK();
  }
}
