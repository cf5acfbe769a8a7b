package dev.gossamer.attention.rivals;

import dev.gossamer.attention.adacluster.AdaClusterSettings;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Grouping;
import dev.gossamer.attention.adacluster.AdaClusterSettings.KeyCounts;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Partition;
import dev.gossamer.attention.adacluster.CentroidMass;
import dev.gossamer.attention.adacluster.SelectionRule;
import java.util.List;

/**
 * The methods that the paper compares with, as settings of the same engine, so that a comparison
 * shows the ideas and not the kernels. Like the methods they stand for, not re-implementations of
 * them.
 */
public final class Rivals {
  private Rivals() {}

  /**
   * Like SVG2 (Sparse VideoGen 2): queries and keys both by Euclidean distance in uniform numbers
   * of clusters, clusters ranked by the attention mass between centroids.
   */
  public static final AdaClusterSettings SVG2 =
      AdaClusterSettings.PAPER
          .withQueryPartition(Partition.EUCLIDEAN)
          .withQueryClusters(65)
          .withKeyCounts(KeyCounts.FIXED)
          .withKeyClusters(200)
          .withScorer(new CentroidMass())
          .withRule(new SelectionRule.Budget(0.25))
          .withDenseSteps(0.2)
          .withText(AdaClusterSettings.Text.ALWAYS);

  /**
   * Like SpargeAttn: no clustering, blocks of 64 neighbours in the sequence, ranked by the
   * attention mass between the blocks' mean queries and mean keys.
   */
  public static final AdaClusterSettings SPARGE =
      SVG2.withQueryPartition(Partition.BLOCKS)
          .withKeyPartition(Partition.BLOCKS)
          .withGrouping(Grouping.CLUSTER)
          .withDenseLayers(List.of());
}
