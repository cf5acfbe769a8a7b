package dev.gossamer.attention.clusters;

import dev.gossamer.attention.PlainAttention;
import dev.gossamer.attention.Tokens;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;
import java.util.Random;

/**
 * One head with labels given from outside: the way into {@link VariableBlockAttention} for tests,
 * and the same by the oracle. Tensors belong to the current scope.
 *
 * @param q rows of queries, as the type of the products holds them; likewise k and v
 */
public record ClusteredHead(
    double[][] q,
    double[][] k,
    double[][] v,
    ClusterLayout queries,
    ClusterLayout keys,
    DType products) {

  public static ClusteredHead of(
      double[][] q,
      double[][] k,
      double[][] v,
      ClusterLayout queries,
      ClusterLayout keys,
      DType products) {
    return new ClusteredHead(
        Tokens.rounded(q, products),
        Tokens.rounded(k, products),
        Tokens.rounded(v, products),
        queries,
        keys,
        products);
  }

  /** Normal tokens with the labels given. */
  public static ClusteredHead random(
      long seed, int headDim, ClusterLayout queries, ClusterLayout keys, DType products) {
    return of(
        Tokens.normal(seed, queries.tokens(), headDim),
        Tokens.normal(seed + 1, keys.tokens(), headDim),
        Tokens.normal(seed + 2, keys.tokens(), headDim),
        queries,
        keys,
        products);
  }

  public Operands operands() {
    Tensor mean = Tensor.zeros(DType.FLOAT32, 1, k[0].length);
    return Operands.of(
        Operands.queryRows(Tokens.tensor(q).to(products), products),
        Operands.keyRows(Tokens.tensor(k).to(products), mean, products),
        Tokens.tensor(v).to(products),
        queries,
        keys,
        products);
  }

  /** Output rows in the tokens' own order. */
  public double[][] attend(QueryGroups groups, KeySelection selection) {
    return attend(groups, selection, operands(), Optional.empty());
  }

  /** The same with a point for each cluster that a group does not select. */
  public double[][] attendWithTail(QueryGroups groups, KeySelection selection) {
    Operands operands = operands();
    CoarseAttention.Rest tail = tail(operands, groups, selection);
    return attend(groups, selection, operands, Optional.of(tail));
  }

  CoarseAttention.Rest tail(Operands operands, QueryGroups groups, KeySelection selection) {
    ClusterTail points = KeyStatistics.of(operands, keys).tail(products);
    return new CoarseAttention(operands, points).without(groups, selection);
  }

  private double[][] attend(
      QueryGroups groups,
      KeySelection selection,
      Operands operands,
      Optional<CoarseAttention.Rest> tail) {
    VariableBlockAttention attention =
        new VariableBlockAttention(operands, keys, groups, selection, tail);
    Tensor sorted = Tensor.full(Double.NaN, products, q.length, v[0].length);
    try (Workspace workspace = new Workspace()) {
      attention.attend(0, groups.count(), sorted, workspace);
    }
    return Tokens.rows(sorted.indexSelect(0, queries.inverse()));
  }

  /** By the oracle. */
  public double[][] expected(QueryGroups groups, KeySelection selection) {
    return PlainAttention.selected(q, k, v, keys.labels(), seen(groups, selection));
  }

  /** By the oracle. */
  public double[][] expectedWithTail(QueryGroups groups, KeySelection selection) {
    return PlainAttention.withTail(q, k, v, keys.labels(), seen(groups, selection));
  }

  /** What each query selects, {@code [queries][clusters]}, in the tokens' own order. */
  public boolean[][] seen(QueryGroups groups, KeySelection selection) {
    int[] order = queries.order().toInts();
    boolean[][] seen = new boolean[q.length][keys.clusters()];
    for (int group = 0; group < groups.count(); group++) {
      for (int row = groups.start(group); row < groups.start(group + 1); row++) {
        for (int at = selection.start(group); at < selection.end(group); at++) {
          seen[order[row]][selection.cluster(at)] = true;
        }
      }
    }
    return seen;
  }

  /** Each group picks each cluster with the given chance; a group may end with none. */
  public static KeySelection randomSelection(long seed, int groups, int clusters, double chance) {
    Random random = new Random(seed);
    int[][] rows = new int[groups][];
    for (int group = 0; group < groups; group++) {
      rows[group] =
          java.util.stream.IntStream.range(0, clusters)
              .filter(cluster -> random.nextDouble() < chance)
              .toArray();
    }
    return KeySelection.of(rows);
  }
}
