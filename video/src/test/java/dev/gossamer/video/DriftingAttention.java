package dev.gossamer.video;

import dev.gossamer.attention.Attention;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.CallLog;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** An attention whose every answer depends on all keys that its branch saw in earlier steps. */
final class DriftingAttention implements AttentionMethod {
  @Override
  public String name() {
    return "drifting";
  }

  @Override
  public Map<String, Object> settings() {
    return Map.of("pull", 0.25);
  }

  @Override
  public AttentionSession open(AttentionPlan plan, Threads threads) {
    return new Session();
  }

  private static final class Session implements AttentionSession {
    private final CallLog log = new CallLog();
    private final Scope held = Scope.detached();
    private final Map<String, Tensor> means = new ConcurrentHashMap<>();

    @Override
    public Attention attention(int layer, int branch) {
      String name = "mean." + layer + "." + branch;
      return (query, key, value, step) -> {
        try (Scope scope = Scope.open()) {
          Tensor mean = key.mean(true, 2);
          Tensor before = means.get(name);
          Tensor now = before == null ? mean : before.mul(0.75).add(mean.mul(0.25));
          means.put(name, held.adopt(now.copy()));
          if (before != null) {
            before.close();
          }
          log.add(new AttentionReport.Call(step, layer, branch, "", 0.5, 0, 3, 7, 0.9, 0.001));
          int[] labels = new int[(int) key.size(2)];
          log.add(new AttentionReport.ClusterLabels(step, layer, branch, 0, labels, labels));
          return scope.keep(value.sub(now));
        }
      };
    }

    @Override
    public AttentionReport report() {
      return log.report();
    }

    @Override
    public Map<String, Tensor> state() {
      return new TreeMap<>(means);
    }

    @Override
    public void restore(Map<String, Tensor> state) {
      state.forEach((name, mean) -> means.put(name, held.adopt(mean.copy())));
    }

    @Override
    public void close() {
      held.close();
    }
  }
}
