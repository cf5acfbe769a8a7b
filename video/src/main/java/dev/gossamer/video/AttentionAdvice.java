package dev.gossamer.video;

import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.tensor.failure.UsageException;
import java.util.HashMap;
import java.util.Map;

/**
 * What a family of models knows about AdaCluster on it: settings where it departs from the presets,
 * by the names of {@code --attn}. What a person sets wins over them.
 *
 * @param own for the presets {@code default} and {@code cluster}; {@code paper} is as published
 * @param release the settings with which the paper's released code runs this family, on top of
 *     {@code paper}: the preset {@code release}
 */
public record AttentionAdvice(Map<String, String> own, Map<String, String> release) {
  /** The presets as they are. */
  public static final AttentionAdvice NONE = new AttentionAdvice(Map.of(), Map.of());

  private static final String METHOD = "adacluster";
  private static final String RELEASE = "release";

  public AttentionAdvice {
    own = Map.copyOf(own);
    release = Map.copyOf(release);
  }

  /** Options as this family takes them. */
  AttentionOptions apply(String method, AttentionOptions options) {
    String preset = options.preset().orElse("default");
    if (!method.equals(METHOD) || preset.equals("paper")) {
      return options;
    }
    if (!preset.equals(RELEASE)) {
      return options.withDefaults(own);
    }
    if (release.isEmpty()) {
      throw new UsageException(
          "The paper's released code has no settings for this model, so no preset 'release'",
          "Use --preset default, cluster or paper");
    }
    Map<String, String> settings = new HashMap<>(release);
    if (options.density().isPresent()) {
      settings.remove("rule");
    }
    return options.withPreset("paper").withDefaults(settings);
  }
}
