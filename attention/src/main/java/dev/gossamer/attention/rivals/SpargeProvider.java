package dev.gossamer.attention.rivals;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionProvider;
import dev.gossamer.attention.adacluster.AdaCluster;
import dev.gossamer.attention.adacluster.AdaClusterProvider;
import java.util.List;

/** {@code --attention sparge}. */
public final class SpargeProvider implements AttentionProvider {
  @Override
  public String name() {
    return "sparge";
  }

  @Override
  public String description() {
    return "rival: contiguous blocks with pooled scores, as in SpargeAttn";
  }

  @Override
  public AttentionMethod create(AttentionOptions options) {
    options.requirePreset(name(), List.of());
    return new AdaCluster(name(), AdaClusterProvider.apply(options, Rivals.SPARGE, name()));
  }
}
