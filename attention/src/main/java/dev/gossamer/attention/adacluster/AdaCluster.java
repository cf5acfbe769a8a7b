package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.tensor.Threads;
import java.util.Map;

/**
 * AdaCluster (CVPR 2026): queries clustered by angle, keys by distance in as many clusters as each
 * layer needs; each query cluster attends only to the key clusters that matter. With the preset
 * {@code default} what is not selected still counts, one point per cluster, and selection goes by
 * expected error. Training-free; see {@code docs/paper-map.md} for each step.
 */
public final class AdaCluster implements AttentionMethod {
  private final String name;
  private final AdaClusterSettings settings;

  public AdaCluster(AdaClusterSettings settings) {
    this("adacluster", settings);
  }

  /** The same engine under another name, for rivals that differ in settings only. */
  public AdaCluster(String name, AdaClusterSettings settings) {
    this.name = name;
    this.settings = settings;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Map<String, Object> settings() {
    return settings.asMap();
  }

  @Override
  public AttentionSession open(AttentionPlan plan, Threads threads) {
    return new AdaClusterSession(plan, settings, threads);
  }
}
