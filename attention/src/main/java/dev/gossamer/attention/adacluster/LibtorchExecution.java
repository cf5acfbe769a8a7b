package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.ClusterTail;
import dev.gossamer.attention.clusters.CoarseAttention;
import dev.gossamer.attention.clusters.KeySelection;
import dev.gossamer.attention.clusters.KeyStatistics;
import dev.gossamer.attention.clusters.Operands;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.attention.clusters.VariableBlockAttention;
import dev.gossamer.attention.kmeans.KMeans;
import dev.gossamer.attention.kmeans.Lloyd;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/** A head by operations of libtorch: any device, float32 or bf16. */
final class LibtorchExecution implements HeadExecution {
  private final AdaClusterSession session;
  private final DType products;
  private final Tensor value;
  private final ClusteredTokens clustered;
  private final Tensor keyMean;
  private final Tensor queryRows;
  private final Tensor keyRows;
  private final int headDim;
  private final int chunks;
  private ClusterLayout queries;
  private SortedHead head;

  /**
   * @param query {@code [tokens, headDim]}, likewise key and value
   * @param chunks parts of the queries that threads may take
   */
  LibtorchExecution(
      AdaClusterSession session,
      DType products,
      ClusteredTokens clustered,
      Tensor query,
      Tensor key,
      Tensor value,
      int chunks) {
    this.session = session;
    this.products = products;
    this.clustered = clustered;
    this.value = value;
    this.headDim = (int) query.size(1);
    this.chunks = chunks;
    this.keyMean = clustered.of(key).to(DType.FLOAT32).mean(true, 0);
    this.queryRows = Operands.queryRows(query, products);
    this.keyRows = Operands.keyRows(key, keyMean, products);
  }

  @Override
  public Tensor keyMean() {
    return keyMean;
  }

  @Override
  public Lloyd queryPoints() {
    return new KMeans(
        clustered.of(queryRows), headDim, session.settings().queryPartition().metric());
  }

  @Override
  public Lloyd keyPoints() {
    return new KMeans(clustered.of(keyRows), headDim, session.settings().keyPartition().metric());
  }

  @Override
  public ScoredHead sort(
      ClusterLayout queries, ClusterLayout keys, QueryGroups groups, boolean tail) {
    this.queries = queries;
    Operands operands = Operands.of(queryRows, keyRows, value, queries, keys, products);
    KeyStatistics statistics = KeyStatistics.of(operands, keys);
    ClusterTail points = statistics.tail(products);
    Optional<CoarseAttention> coarse =
        tail ? Optional.of(new CoarseAttention(operands, points)) : Optional.empty();
    head = new SortedHead(operands, groups, keys, statistics, points, coarse);
    return head;
  }

  @Override
  public void attend(KeySelection selection, Tensor output) {
    QueryGroups groups = head.groups();
    VariableBlockAttention attention =
        new VariableBlockAttention(
            head.operands(),
            head.keyLayout(),
            groups,
            selection,
            head.coarse().map(all -> all.without(groups, selection)));
    Tensor sorted = Tensor.empty(products, queries.tokens(), value.size(1));
    session
        .threads()
        .forEach(
            chunks,
            chunk ->
                session.withWorkspace(
                    workspace ->
                        attention.attend(
                            groups.count() * chunk / chunks,
                            groups.count() * (chunk + 1) / chunks,
                            sorted,
                            workspace)));
    output.copyFrom(sorted.indexSelect(0, queries.inverse()));
  }

  @Override
  public double recall(KeySelection selection, int rows) {
    return RecallProbe.estimate(head.operands(), head.groups(), selection, head.keyLayout(), rows);
  }
}
