package dev.gossamer.attention;

import java.util.List;

/** Makes {@link DenseAttention}; it has nothing to set. */
public final class DenseAttentionProvider implements AttentionProvider {
  @Override
  public String name() {
    return "dense";
  }

  @Override
  public String description() {
    return "every token attends to every token";
  }

  @Override
  public AttentionMethod create(AttentionOptions options) {
    options.requirePreset(name(), List.of());
    options.requireNoDensity(name());
    options.requireSettings(name(), List.of());
    return new DenseAttention();
  }
}
