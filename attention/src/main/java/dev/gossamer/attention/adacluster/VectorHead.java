package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.vector.VectorKernels;
import dev.gossamer.attention.vector.VectorMemory;
import dev.gossamer.attention.vector.VectorTile;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * A head as the vector path leaves it.
 *
 * @param query {@code [tokens][headDim]} in the tokens' own order, not scaled
 * @param scale factor of the logits
 * @param order the token at each sorted position of the queries
 * @param execution shares groups among threads
 */
record VectorHead(
    float[] query,
    int headDim,
    float scale,
    int[] order,
    QueryGroups groups,
    VectorPoints points,
    VectorExecution execution)
    implements ScoredHead {
  private static final double SHORTEST = 1e-6;
  private static final int STRIP = 32; // queries; with 1,024 points their scores take 128 KiB

  @Override
  public KeyStatistics statistics() {
    return points.statistics();
  }

  @Override
  public Tensor extremes() {
    ClusterLayout keys = points.layout();
    float[] sorted = new float[keys.tokens() * headDim];
    for (int row = 0; row < keys.tokens(); row++) {
      System.arraycopy(points.keys(), row * points.stride(), sorted, row * headDim, headDim);
    }
    return KeyStatistics.extremes(sorted, headDim, keys);
  }

  /** How one query enters the sum of its group. */
  private interface Term {
    void add(int at, float[] sums, int to);
  }

  private Tensor means(Term term, float factor) {
    float[] sums = new float[groups.count() * headDim];
    for (int group = 0; group < groups.count(); group++) {
      int to = group * headDim;
      for (int row = groups.start(group); row < groups.start(group + 1); row++) {
        term.add(order[row] * headDim, sums, to);
      }
      float share = factor / groups.size(group);
      for (int i = to; i < to + headDim; i++) {
        sums[i] *= share;
      }
    }
    return Tensor.of(sums, groups.count(), headDim);
  }

  @Override
  public Tensor groupQueries() {
    return means(
        (at, sums, to) -> {
          for (int i = 0; i < headDim; i++) {
            sums[to + i] += query[at + i];
          }
        },
        scale);
  }

  @Override
  public Tensor groupSquares() {
    return means(
        (at, sums, to) -> {
          for (int i = 0; i < headDim; i++) {
            sums[to + i] += query[at + i] * query[at + i];
          }
        },
        scale * scale);
  }

  @Override
  public Tensor groupDirections() {
    return means(
        (at, sums, to) -> {
          double squares = 0;
          for (int i = 0; i < headDim; i++) {
            squares += query[at + i] * query[at + i];
          }
          float share = (float) (scale / Math.max(SHORTEST, scale * Math.sqrt(squares)));
          for (int i = 0; i < headDim; i++) {
            sums[to + i] += query[at + i] * share;
          }
        },
        1);
  }

  @Override
  public Tensor mass(int samples) {
    ClusterLayout keys = points.layout();
    int clusters = keys.clusters();
    int width = VectorKernels.padded(clusters);
    float[] bias = new float[width];
    Arrays.fill(bias, VectorKernels.UNSEEN);
    float[] across = new float[headDim * width];
    for (int cluster = 0; cluster < clusters; cluster++) {
      bias[cluster] = keys.size(cluster) == 0 ? VectorKernels.UNSEEN : points.logSizes()[cluster];
      int point = points.point(cluster);
      for (int i = 0; i < headDim; i++) {
        across[i * width + cluster] = points.keys()[point + i] * scale;
      }
    }
    int stride = execution.asksAll() ? 1 : QueryMass.stride(order.length, groups, samples);
    float[] masses = new float[groups.count() * clusters];
    execution.forGroups(
        (own, group) -> {
          float[] mass = mass(group, stride, across, bias, own);
          System.arraycopy(mass, 0, masses, group * clusters, clusters);
        });
    return Tensor.of(masses, groups.count(), clusters);
  }

  private float[] mass(int group, int stride, float[] across, float[] bias, VectorMemory own) {
    int width = bias.length;
    int size = groups.size(group);
    int wanted = QueryGroups.samplesOf(size, stride);
    float[] mass = new float[width];
    float[] maxima = new float[VectorKernels.LANES];
    float[] sums = new float[VectorKernels.LANES];
    float[] scores = own.floats(VectorMemory.Use.SCORES, STRIP * width);
    int[] rows = own.rows(STRIP);
    for (int from = 0; from < wanted; from += STRIP) {
      int count = Math.min(STRIP, wanted - from);
      for (int i = 0; i < VectorKernels.paddedRows(count); i++) {
        int sample = Math.min(from + i, wanted - 1);
        rows[i] = headDim * order[groups.start(group) + QueryGroups.sample(sample, wanted, size)];
      }
      VectorKernels.products(
          query, rows, 0, VectorKernels.paddedRows(count), headDim, across, width, scores);
      for (int i = 0; i < count; i++) {
        VectorKernels.addSoftmax(scores, i * width, width, bias, mass, maxima, sums);
      }
    }
    for (int cluster = 0; cluster < width; cluster++) {
      mass[cluster] /= wanted;
    }
    return mass;
  }

  /** Recall of a selection, from {@code wanted} evenly spaced queries. */
  double recall(KeySelection selection, int wanted, VectorMemory memory) {
    double sum = 0;
    for (int from = 0; from < wanted; from += VectorTile.MOST_QUERIES) {
      int count = Math.min(VectorTile.MOST_QUERIES, wanted - from);
      int[] positions = new int[count];
      for (int i = 0; i < count; i++) {
        positions[i] = (int) ((from + i + 0.5) * order.length / wanted);
      }
      sum += recall(selection, positions, memory);
    }
    return sum / wanted;
  }

  /** Sum over queries of the share of their softmax that lies on selected keys. */
  private double recall(KeySelection selection, int[] positions, VectorMemory memory) {
    int width = VectorKernels.paddedTile(positions.length);
    int tokens = points.layout().tokens();
    float[] across = new float[headDim * width];
    for (int query = 0; query < positions.length; query++) {
      int at = order[positions[query]] * headDim;
      for (int i = 0; i < headDim; i++) {
        across[i * width + query] = this.query[at + i] * scale;
      }
    }
    int padded = VectorTile.listLength(tokens);
    int[] rows = memory.rows(padded);
    for (int row = 0; row < padded; row++) {
      rows[row] = Math.min(row, tokens - 1) * points.stride();
    }
    float[] scores = memory.floats(VectorMemory.Use.SCORES, padded * width);
    VectorKernels.products(points.keys(), rows, 0, padded, headDim, across, width, scores);
    float[] sums = new float[width];
    float[] maxima = new float[width];
    Arrays.fill(maxima, VectorKernels.UNSEEN);
    VectorKernels.columnExps(scores, tokens, width, maxima, sums, new float[width]);
    double recall = 0;
    int group = 0;
    for (int query = 0; query < positions.length; query++) {
      while (groups.start(group + 1) <= positions[query]) {
        group++;
      }
      int selected = points.selected(selection, group, rows);
      double mass = 0;
      for (int row = 0; row < selected; row++) {
        mass += scores[rows[row] / points.stride() * width + query];
      }
      recall += mass / sums[query];
    }
    return recall;
  }
}
