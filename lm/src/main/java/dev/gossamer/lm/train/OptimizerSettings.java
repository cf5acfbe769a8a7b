package dev.gossamer.lm.train;

import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.settings.Words;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter 2019) and the way of its learning rate.
 *
 * @param learningRate at its highest
 * @param minLearningRate where it ends
 * @param schedule between the two
 * @param warmup steps of a line from 0 to the highest
 * @param decay share of the steps in which {@link Schedule#WSD} goes down
 * @param beta1 of the mean gradient
 * @param beta2 of the mean square
 * @param epsilon added to the root of the mean square
 * @param weightDecay of matrices and embeddings, not of norms and biases
 * @param clip longest gradient, all of the model's together; 0 for no limit
 * @param biasRate by which a sigmoid router's biases move against the load after each step
 */
public record OptimizerSettings(
    double learningRate,
    double minLearningRate,
    Schedule schedule,
    int warmup,
    double decay,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    double clip,
    double biasRate) {
  /** As in BigMac's experiments, with a warm-up for shorter runs. */
  public static final OptimizerSettings DEFAULT =
      new OptimizerSettings(3e-4, 3e-5, Schedule.COSINE, 100, 0.2, 0.9, 0.95, 1e-8, 0.1, 1, 1e-3);

  /**
   * @throws UsageException if a value is out of its range
   */
  public OptimizerSettings {
    require(learningRate > 0, "a learning rate of " + learningRate, "Use a number above 0");
    require(
        minLearningRate >= 0 && minLearningRate <= learningRate,
        "a lowest learning rate of " + minLearningRate,
        "Use 0 to the learning rate");
    require(warmup >= 0, "a warm-up of " + warmup + " steps", "Use 0 or more");
    require(decay > 0 && decay <= 1, "a decay over " + decay + " of the steps", "Use above 0 to 1");
    require(
        beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
        "betas of " + beta1 + " and " + beta2,
        "Use 0 to below 1");
    require(epsilon > 0, "an epsilon of " + epsilon, "Use a small number above 0");
    require(weightDecay >= 0, "a weight decay of " + weightDecay, "Use 0 or more");
    require(clip >= 0, "gradients clipped to " + clip, "Use 0 for no limit, or more");
    require(biasRate >= 0, "a bias rate of " + biasRate, "Use 0 or more");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No optimizer has " + found, remedy);
    }
  }

  static OptimizerSettings read(SettingsFile file) {
    return file.build(
        () ->
            new OptimizerSettings(
                file.real("learningRate", DEFAULT.learningRate),
                file.real("minLearningRate", file.real("learningRate", DEFAULT.learningRate) / 10),
                file.choice("schedule", Schedule.class, DEFAULT.schedule),
                file.whole("warmup", DEFAULT.warmup),
                file.real("decay", DEFAULT.decay),
                file.real("beta1", DEFAULT.beta1),
                file.real("beta2", DEFAULT.beta2),
                file.real("epsilon", DEFAULT.epsilon),
                file.real("weightDecay", DEFAULT.weightDecay),
                file.real("clip", DEFAULT.clip),
                file.real("biasRate", DEFAULT.biasRate)));
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("learningRate", learningRate);
    document.put("minLearningRate", minLearningRate);
    document.put("schedule", Words.of(schedule));
    document.put("warmup", warmup);
    document.put("decay", decay);
    document.put("beta1", beta1);
    document.put("beta2", beta2);
    document.put("epsilon", epsilon);
    document.put("weightDecay", weightDecay);
    document.put("clip", clip);
    document.put("biasRate", biasRate);
    return document;
  }

  /** The same way of the learning rate, so many times as high from its beginning to its end. */
  public OptimizerSettings withRate(double times) {
    return new OptimizerSettings(
        times * learningRate,
        times * minLearningRate,
        schedule,
        warmup,
        decay,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        clip,
        biasRate);
  }

  /**
   * The learning rate of a step.
   *
   * @param step from 0
   * @param steps of the run
   */
  double rate(long step, long steps) {
    if (step < warmup) {
      return learningRate * (step + 1) / warmup;
    }
    double gone = (double) (step - warmup) / Math.max(1, steps - warmup);
    double left =
        switch (schedule) {
          case COSINE -> (1 + Math.cos(Math.PI * Math.min(1, gone))) / 2;
          case LINEAR -> 1 - Math.min(1, gone);
          case WSD -> Math.min(1, Math.max(0, (1 - (double) step / steps) / decay));
          case CONSTANT -> 1;
        };
    return minLearningRate + (learningRate - minLearningRate) * left;
  }
}
