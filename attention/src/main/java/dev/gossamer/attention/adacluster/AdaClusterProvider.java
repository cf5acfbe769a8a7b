package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionProvider;

/** {@code --attention adacluster}. */
public final class AdaClusterProvider implements AttentionProvider {
  @Override
  public String name() {
    return "adacluster";
  }

  @Override
  public String description() {
    return "clusters of queries and keys; presets "
        + String.join(", ", AdaClusterSettings.presets().keySet());
  }

  @Override
  public AttentionMethod create(AttentionOptions options) {
    options.requirePreset(name(), AdaClusterSettings.presets().keySet());
    AdaClusterSettings preset =
        AdaClusterSettings.presets().get(options.preset().orElse("default"));
    return new AdaCluster(apply(options, preset, name()));
  }

  /** A preset with density and single settings on top. */
  public static AdaClusterSettings apply(
      AttentionOptions options, AdaClusterSettings preset, String method) {
    options.requireSettings(method, AdaClusterSettings.names());
    AdaClusterSettings settings = preset;
    if (options.density().isPresent()) {
      settings =
          settings
              .withRule(new SelectionRule.Budget(options.density().getAsDouble()))
              .withErrorTarget(0);
    }
    // Counts per layer need keys clustered by distance: whoever leaves both leaves the counts
    // first.
    if ("fixed".equalsIgnoreCase(options.settings().get("keyCounts"))) {
      settings = settings.withKeyCounts(AdaClusterSettings.KeyCounts.FIXED);
    }
    for (String setting : AdaClusterSettings.names()) {
      if (options.settings().containsKey(setting)) {
        settings = settings.with(setting, options.settings().get(setting));
      }
    }
    return settings;
  }
}
