package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.Attention;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.CallLog;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.clusters.Workspace;
import dev.gossamer.attention.vector.VectorMemory;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/**
 * AdaCluster for one video: an attention per layer and branch, none of which sees another's
 * clusters, and the one thing that they share, the threshold tau found at the calibration step.
 */
final class AdaClusterSession implements AttentionSession {
  private final AttentionPlan plan;
  private final AdaClusterSettings settings;
  private final Threads threads;
  private final CallLog log = new CallLog();
  private final AdaClusterAttention[][] attentions;
  private final KeyClustering.Dispersion[][] dispersions;
  private final Queue<Workspace> workspaces = new ConcurrentLinkedQueue<>();
  private final Queue<VectorMemory> vectorMemories = new ConcurrentLinkedQueue<>();
  private Calibration calibration;
  private HeadsExecution execution; // of cards, once one is used

  /**
   * @param tau distance from a centroid beyond which a key is an outlier, the same for all layers
   * @param candidates the most dispersed layers, which attend in full if they turn out hard
   */
  private record Calibration(double tau, Set<Integer> candidates) {}

  AdaClusterSession(AttentionPlan plan, AdaClusterSettings settings, Threads threads) {
    this.plan = plan;
    this.settings = settings;
    this.threads = threads;
    this.attentions = new AdaClusterAttention[plan.layers()][plan.branches()];
    this.dispersions = new KeyClustering.Dispersion[plan.layers()][plan.branches()];
    for (int layer = 0; layer < plan.layers(); layer++) {
      for (int branch = 0; branch < plan.branches(); branch++) {
        attentions[layer][branch] = new AdaClusterAttention(this, layer, branch);
      }
    }
  }

  AttentionPlan plan() {
    return plan;
  }

  AdaClusterSettings settings() {
    return settings;
  }

  Threads threads() {
    return threads;
  }

  CallLog log() {
    return log;
  }

  /** How all heads of a layer are computed at once on a card: by kernels where they fit it. */
  synchronized HeadsExecution execution(Device device, int headDim, DType dtype) {
    if (execution == null) {
      int tokens = plan.grids().stream().mapToInt(TokenGrid::tokens).max().orElseThrow();
      execution = CardExecutions.of(device, headDim, dtype, settings, tokens);
    }
    return execution;
  }

  /** Lends scratch memory to one thread for the length of a call. */
  void withWorkspace(Consumer<Workspace> work) {
    Workspace workspace = workspaces.poll();
    if (workspace == null) {
      workspace = new Workspace();
    }
    try {
      work.accept(workspace);
    } finally {
      workspaces.add(workspace);
    }
  }

  /** Lends arrays to one head or thread of the vector path for the length of a call. */
  void withVectors(Consumer<VectorMemory> work) {
    VectorMemory memory = vectorMemories.poll();
    if (memory == null) {
      memory = new VectorMemory();
    }
    try {
      work.accept(memory);
    } finally {
      vectorMemories.add(memory);
    }
  }

  synchronized void calibrate(int layer, int branch, KeyClustering.Dispersion dispersion) {
    dispersions[layer][branch] = dispersion;
    calibration = null;
  }

  /** The threshold over all layers; called in a step after the calibration step. */
  synchronized double tau() {
    return calibration().tau();
  }

  /** Whether a layer is among the most dispersed, which may attend in full. */
  synchronized boolean mayFallBack(int layer) {
    return calibration().candidates().contains(layer);
  }

  private Calibration calibration() {
    if (calibration == null) {
      double sum = 0;
      int measured = 0;
      List<double[]> byLayer = new ArrayList<>();
      for (int layer = 0; layer < plan.layers(); layer++) {
        double squared = 0;
        for (KeyClustering.Dispersion dispersion : dispersions[layer]) {
          if (dispersion != null) {
            sum += dispersion.distance();
            squared += dispersion.squared();
            measured++;
          }
        }
        byLayer.add(new double[] {layer, squared});
      }
      byLayer.sort(Comparator.comparingDouble((double[] entry) -> -entry[1]));
      int most = (int) (settings.maxDenseLayerShare() * plan.layers());
      Set<Integer> candidates = new HashSet<>();
      for (double[] entry : byLayer.subList(0, most)) {
        candidates.add((int) entry[0]);
      }
      double mean = measured == 0 ? 0 : sum / measured;
      calibration = new Calibration(settings.tauFactor() * mean, candidates);
    }
    return calibration;
  }

  @Override
  public Attention attention(int layer, int branch) {
    return attentions[layer][branch];
  }

  @Override
  public AttentionReport report() {
    return log.report();
  }

  @Override
  public Map<String, Tensor> state() {
    Map<String, Tensor> state = new LinkedHashMap<>();
    for (int layer = 0; layer < plan.layers(); layer++) {
      for (int branch = 0; branch < plan.branches(); branch++) {
        String prefix = "layer" + layer + ".branch" + branch + ".";
        KeyClustering.Dispersion dispersion = dispersions[layer][branch];
        if (dispersion != null) {
          state.put(
              prefix + "dispersion",
              Tensor.of(new double[] {dispersion.distance(), dispersion.squared()}, 2));
        }
        attentions[layer][branch].save(prefix, state);
      }
    }
    return state;
  }

  @Override
  public void restore(Map<String, Tensor> state) {
    Set<String> unread = new HashSet<>(state.keySet());
    for (int layer = 0; layer < plan.layers(); layer++) {
      for (int branch = 0; branch < plan.branches(); branch++) {
        String prefix = "layer" + layer + ".branch" + branch + ".";
        Tensor dispersion = state.get(prefix + "dispersion");
        if (dispersion != null) {
          double[] numbers = dispersion.toDoubles();
          calibrate(layer, branch, new KeyClustering.Dispersion(numbers[0], numbers[1]));
          unread.remove(prefix + "dispersion");
        }
        unread.removeAll(attentions[layer][branch].restore(prefix, state));
      }
    }
    if (!unread.isEmpty()) {
      throw new BadInputException(
          "Cannot restore AdaCluster's state: it does not know '" + unread.iterator().next() + "'",
          "The saved run used another model or method");
    }
  }

  @Override
  public void close() {
    for (AdaClusterAttention[] branches : attentions) {
      for (AdaClusterAttention attention : branches) {
        attention.close();
      }
    }
    workspaces.forEach(Workspace::close);
    workspaces.clear();
    vectorMemories.clear();
  }
}
