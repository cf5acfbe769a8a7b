package dev.gossamer.attention.clusters;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * Ranges of queries, sorted by cluster, that share one selection of key clusters: whole clusters as
 * in the paper, or equal cuts of them, so that a large cluster chooses more finely and no range is
 * longer than the attention's tiles.
 */
public final class QueryGroups {
  private final int[] offsets;

  private QueryGroups(int[] offsets) {
    this.offsets = offsets;
  }

  /** One group per non-empty cluster. */
  public static QueryGroups clusters(ClusterLayout layout) {
    return cuts(layout, Integer.MAX_VALUE);
  }

  /** Each non-empty cluster in the fewest equal parts of at most {@code most} queries. */
  public static QueryGroups cuts(ClusterLayout layout, int most) {
    int[] offsets = new int[layout.tokens() + 1];
    int groups = 0;
    for (int cluster = 0; cluster < layout.clusters(); cluster++) {
      int size = layout.size(cluster);
      int parts = (int) ((size + (long) most - 1) / most);
      for (int part = 0; part < parts; part++) {
        offsets[groups++] = layout.start(cluster) + (int) ((long) size * part / parts);
      }
    }
    offsets[groups] = layout.tokens();
    return new QueryGroups(Arrays.copyOf(offsets, groups + 1));
  }

  public int count() {
    return offsets.length - 1;
  }

  /** Sorted position of a group's first query. */
  public int start(int group) {
    return offsets[group];
  }

  public int size(int group) {
    return offsets[group + 1] - offsets[group];
  }

  /** INT64 [tokens]: the group at each sorted position. */
  public Tensor ofPositions() {
    int[] groups = new int[offsets[count()]];
    for (int group = 0; group < count(); group++) {
      Arrays.fill(groups, offsets[group], offsets[group + 1], group);
    }
    return Tensor.of(groups, groups.length).to(DType.INT64);
  }

  /** float32 [groups, 1]: queries of each group. */
  public Tensor sizes() {
    float[] sizes = new float[count()];
    for (int group = 0; group < sizes.length; group++) {
      sizes[group] = size(group);
    }
    return Tensor.of(sizes, sizes.length, 1);
  }

  /**
   * Evenly spaced sorted positions, about every {@code stride}-th and at least one of each group.
   *
   * @return position and group of each sample
   */
  public Samples samples(int stride) {
    int[] positions = new int[offsets[count()]];
    int[] groups = new int[positions.length];
    float[] perGroup = new float[count()];
    int found = 0;
    for (int group = 0; group < count(); group++) {
      int size = size(group);
      int wanted = samplesOf(size, stride);
      for (int sample = 0; sample < wanted; sample++) {
        positions[found] = start(group) + sample(sample, wanted, size);
        groups[found++] = group;
      }
      perGroup[group] = wanted;
    }
    return new Samples(
        Tensor.of(Arrays.copyOf(positions, found), found).to(DType.INT64),
        Tensor.of(Arrays.copyOf(groups, found), found).to(DType.INT64),
        Tensor.of(perGroup, perGroup.length, 1));
  }

  /** How many of {@code size} queries are samples if about every {@code stride}-th is. */
  public static int samplesOf(int size, int stride) {
    return Math.max(1, size / stride);
  }

  /** Which query of {@code size} is sample number {@code sample} of {@code wanted}. */
  public static int sample(int sample, int wanted, int size) {
    return (int) ((2L * sample + 1) * size / (2L * wanted));
  }

  /**
   * A few queries that speak for each group.
   *
   * @param positions INT64 [samples], sorted positions
   * @param groups INT64 [samples], the group of each
   * @param perGroup float32 [groups, 1], samples of each group
   */
  public record Samples(Tensor positions, Tensor groups, Tensor perGroup) {}
}
