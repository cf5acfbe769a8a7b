package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.kmeans.Lloyd;
import dev.gossamer.attention.kmeans.VectorKMeans;
import dev.gossamer.attention.vector.VectorMemory;
import dev.gossamer.attention.vector.VectorTile;
import dev.gossamer.tensor.Tensor;
import java.util.function.ObjIntConsumer;

/**
 * A head on the processor's vectors, in float32 whatever comes in: a few fused loops where libtorch
 * takes some dozens of operations. Points of unselected clusters are rows like any other, behind
 * the keys, so that the tail needs nothing of its own.
 */
final class VectorExecution implements HeadExecution {
  private final AdaClusterSession session;
  private final ClusteredTokens clustered;
  private final VectorMemory memory;
  private final int chunks;
  private final int tokens;
  private final int headDim;
  private final float[] query;
  private final float[] key; // less the mean
  private final float[] value;
  private final float[] keyMean;
  private VectorHead head;
  private boolean tail;

  /**
   * @param query {@code [tokens, headDim]}, likewise key and value
   * @param memory for the length of this object's life
   * @param chunks parts of the queries that threads may take
   */
  VectorExecution(
      AdaClusterSession session,
      ClusteredTokens clustered,
      Tensor query,
      Tensor key,
      Tensor value,
      VectorMemory memory,
      int chunks) {
    this.session = session;
    this.clustered = clustered;
    this.memory = memory;
    this.chunks = chunks;
    this.tokens = (int) query.size(0);
    this.headDim = (int) query.size(1);
    this.query = memory.read(query, VectorMemory.Use.QUERIES);
    this.key = memory.read(key, VectorMemory.Use.KEYS);
    this.value = memory.read(value, VectorMemory.Use.VALUES);
    this.keyMean = centre();
  }

  /** Takes the mean of the clustered keys away from every key, which changes no softmax. */
  private float[] centre() {
    double[] sums = new double[headDim];
    for (int token = clustered.first(); token < clustered.first() + clustered.count(); token++) {
      for (int i = 0; i < headDim; i++) {
        sums[i] += key[token * headDim + i];
      }
    }
    float[] mean = new float[headDim];
    for (int i = 0; i < headDim; i++) {
      mean[i] = (float) (sums[i] / clustered.count());
    }
    for (int at = 0; at < tokens * headDim; at += headDim) {
      for (int i = 0; i < headDim; i++) {
        key[at + i] -= mean[i];
      }
    }
    return mean;
  }

  @Override
  public Tensor keyMean() {
    return Tensor.of(keyMean, 1, headDim);
  }

  @Override
  public Lloyd queryPoints() {
    return new VectorKMeans(
        query,
        clustered.first(),
        clustered.count(),
        headDim,
        session.settings().queryPartition().metric());
  }

  @Override
  public Lloyd keyPoints() {
    return new VectorKMeans(
        key,
        clustered.first(),
        clustered.count(),
        headDim,
        session.settings().keyPartition().metric());
  }

  @Override
  public ScoredHead sort(
      ClusterLayout queries, ClusterLayout keys, QueryGroups groups, boolean tail) {
    this.tail = tail;
    float scale = (float) (1 / Math.sqrt(headDim));
    VectorPoints points = VectorPoints.sort(key, value, keys, headDim, memory);
    head = new VectorHead(query, headDim, scale, queries.tokensInOrder(), groups, points, this);
    return head;
  }

  /** Whether every query speaks for its group, as the tail would have it. */
  boolean asksAll() {
    return tail;
  }

  /** Lets the threads that this head may use share the groups. */
  void forGroups(ObjIntConsumer<VectorMemory> work) {
    int count = head.groups().count();
    session
        .threads()
        .forEach(
            chunks,
            chunk ->
                session.withVectors(
                    own -> {
                      int end = (int) ((long) count * (chunk + 1) / chunks);
                      for (int group = (int) ((long) count * chunk / chunks);
                          group < end;
                          group++) {
                        work.accept(own, group);
                      }
                    }));
  }

  @Override
  public void attend(KeySelection selection, Tensor output) {
    float[] out = memory.floats(VectorMemory.Use.OUTPUT, tokens * headDim);
    forGroups((own, group) -> attend(group, selection, own, out));
    VectorMemory.write(out, output);
  }

  private void attend(int group, KeySelection selection, VectorMemory own, float[] out) {
    VectorPoints points = head.points();
    ClusterLayout keys = points.layout();
    int[] rows = own.rows(VectorTile.listLength(tokens + keys.clusters()));
    float[] bias = own.floats(VectorMemory.Use.BIAS, keys.clusters());
    int count = points.selected(selection, group, rows);
    int all = tail ? count + points.unselected(selection, group, rows, count, bias) : count;
    for (int row = all; row < VectorTile.listLength(all); row++) {
      rows[row] = 0;
    }
    VectorTile tile = own.tile(headDim);
    int end = head.groups().start(group) + head.groups().size(group);
    // As many as fit at once, though it leaves few for the last: full tiles are the fastest.
    for (int from = head.groups().start(group); from < end; from += VectorTile.MOST_QUERIES) {
      int queries = Math.min(VectorTile.MOST_QUERIES, end - from);
      tile.queries(query, head.order(), from, queries, head.scale());
      tile.attend(points.keys(), points.values(), rows, all, count, bias);
      tile.write(out, head.order(), from);
    }
  }

  @Override
  public double recall(KeySelection selection, int rows) {
    return head.recall(selection, Math.min(rows, tokens), memory);
  }
}
