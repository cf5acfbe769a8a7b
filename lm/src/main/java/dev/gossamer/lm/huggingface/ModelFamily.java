package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** A kind of model that transformers knows, by its {@code model_type}. */
public sealed interface ModelFamily
    permits Mixtral, Qwen2Moe, Qwen3Moe, DeepseekV2, DeepseekV3, NemotronH {
  /** The {@code model_type} in its {@code config.json}. */
  String type();

  /**
   * What the configuration describes.
   *
   * @throws BadInputException if it has something that is not known here, naming it
   */
  ModelSettings settings(ModelConfig config);

  /**
   * The name on disk of one of our tensors, for example {@code layers.3.moe.experts.7.w1}; experts
   * are named one by one.
   */
  String nameOf(String ours);

  /**
   * The name in released files of a tensor that is stored under this one: some have other names
   * where transformers keeps them in memory, and files that were written from there.
   */
  default String released(String stored) {
    return stored;
  }

  /**
   * What has to be done to stored tensors, by our names: each gets the tensor in the shape of ours
   * and returns one of that shape.
   */
  default Map<String, UnaryOperator<Tensor>> changes(ModelConfig config) {
    return Map.of();
  }

  /** Whether a tensor of released files is no part of the model that is read. */
  default boolean beside(ModelConfig config, String stored) {
    return false;
  }

  /** Those that are read. */
  static List<ModelFamily> all() {
    return List.of(
        new Mixtral(),
        new Qwen2Moe(),
        new Qwen3Moe(),
        new DeepseekV2(),
        new DeepseekV3(),
        new NemotronH());
  }

  /**
   * @throws BadInputException if no family has this type
   */
  static ModelFamily of(ModelConfig config) {
    String type = config.text("model_type", "");
    return all().stream()
        .filter(family -> family.type().equals(type))
        .findFirst()
        .orElseThrow(
            () ->
                new BadInputException(
                    "Cannot use " + config.path() + ": model_type '" + type + "' is not known",
                    "Known are gossamer, "
                        + all().stream().map(ModelFamily::type).collect(Collectors.joining(", "))));
  }
}
