package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Map;
import java.util.function.DoubleSupplier;
import java.util.function.IntToLongFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * AdaCluster of one layer and branch on a card: all heads in one call, nothing read back but for
 * the counting of clusters. The figures of the report stay on the card until somebody asks.
 */
final class CardHeads implements AutoCloseable {
  private final AdaClusterSettings settings;
  private final TokenGrid grid;
  private final IntToLongFunction seed;
  private final HeadsExecution execution;
  private final HeadsState state = new HeadsState();

  /**
   * @param seed of each head
   */
  CardHeads(
      AdaClusterSettings settings,
      TokenGrid grid,
      IntToLongFunction seed,
      HeadsExecution execution) {
    this.settings = settings;
    this.grid = grid;
    this.seed = seed;
    this.execution = execution;
  }

  private long[] seeds(Tensor tensor) {
    return IntStream.range(0, (int) (tensor.size(0) * tensor.size(1)))
        .mapToLong(seed::applyAsLong)
        .toArray();
  }

  private KeyStages stages(Tensor key) {
    TokenGrid video =
        settings.text() == AdaClusterSettings.Text.ALWAYS
            ? grid
            : new TokenGrid(1, 1, grid.tokens(), 0, 0);
    Tensor rows =
        key.reshape(key.size(0) * key.size(1), key.size(2), key.size(3))
            .narrow(1, video.textBefore(), video.videoTokens())
            .to(DType.FLOAT32);
    return new KeyStages(rows.sub(rows.mean(true, 1)), settings, seeds(key));
  }

  /** How compact the keys are. */
  KeyClustering.Dispersion dispersion(Tensor key) {
    try (Scope scope = Scope.open()) {
      return stages(key).dispersion();
    }
  }

  /**
   * Finds the number of key clusters, and with it the first centroids.
   *
   * @return whether the layer does not compress
   */
  boolean countClusters(Tensor key, double tau) {
    try (Scope scope = Scope.open()) {
      KeyStages.Found found = stages(key).run(tau);
      Tensor mean =
          key.reshape(key.size(0) * key.size(1), key.size(2), key.size(3))
              .narrow(
                  1,
                  settings.text() == AdaClusterSettings.Text.ALWAYS ? grid.textBefore() : 0,
                  settings.text() == AdaClusterSettings.Text.ALWAYS
                      ? grid.videoTokens()
                      : grid.tokens())
              .to(DType.FLOAT32)
              .mean(true, 1);
      state.keyCentroids(found.centroids().add(mean));
      state.keyCounts(found.counts());
      return found.hard();
    }
  }

  /** A call's output, and what the report says of it once somebody asks. */
  record Attended(Tensor output, Facts facts) {}

  /** One clustered call; the output is in the current scope. */
  Attended attend(
      Tensor query,
      Tensor key,
      Tensor value,
      boolean recluster,
      int recallRows,
      boolean explained) {
    try (Scope scope = Scope.open()) {
      HeadsExecution.Result result =
          execution.attend(
              new HeadsExecution.Call(
                  query,
                  key,
                  value,
                  settings,
                  grid,
                  recluster,
                  seeds(query),
                  recallRows,
                  settings.reclusterEvery() > 1 || explained),
              state);
      return new Attended(scope.keep(result.output()), new Facts(result.facts()));
    }
  }

  /** Cluster labels of the first head. */
  AttentionReport.ClusterLabels labels(int step, int layer, int branch) {
    try (Scope scope = Scope.open()) {
      return new AttentionReport.ClusterLabels(
          step,
          layer,
          branch,
          0,
          state.queryLabels().orElseThrow().select(0, 0).toInts(),
          state.keyLabels().orElseThrow().select(0, 0).toInts());
    }
  }

  /** The figures of one call, on the card until they are read. */
  static final class Facts {
    private final Tensor onCard;
    private double[] values = {};

    private Facts(Tensor facts) {
      this.onCard = Scope.detached().adopt(facts); // read and freed by whoever asks first
    }

    Supplier<AttentionReport.Call> call(int step, int layer, int branch, DoubleSupplier seconds) {
      return () -> {
        double[] read = read();
        return new AttentionReport.Call(
            step,
            layer,
            branch,
            "",
            read[0],
            read[1],
            (int) Math.round(read[2]),
            (int) Math.round(read[3]),
            read[4],
            seconds.getAsDouble());
      };
    }

    private synchronized double[] read() {
      if (values.length == 0) {
        values = onCard.toDoubles();
        onCard.close();
      }
      return values;
    }
  }

  void save(String prefix, Map<String, Tensor> into) {
    state.save(prefix, into);
  }

  void restore(String prefix, Map<String, Tensor> from, Device device) {
    state.restore(prefix, from, device);
  }

  @Override
  public void close() {
    state.close();
  }
}
