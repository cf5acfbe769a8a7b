package dev.gossamer.attention.rivals;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionProvider;
import dev.gossamer.attention.adacluster.AdaCluster;
import dev.gossamer.attention.adacluster.AdaClusterProvider;
import java.util.List;

/** {@code --attention svg2}. */
public final class Svg2Provider implements AttentionProvider {
  @Override
  public String name() {
    return "svg2";
  }

  @Override
  public String description() {
    return "rival: uniform k-means on both sides, as in SVG2";
  }

  @Override
  public AttentionMethod create(AttentionOptions options) {
    options.requirePreset(name(), List.of());
    return new AdaCluster(name(), AdaClusterProvider.apply(options, Rivals.SVG2, name()));
  }
}
