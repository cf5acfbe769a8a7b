package dev.gossamer.attention;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Map;

/** Every query attends to every key: the yardstick. */
public final class DenseAttention implements AttentionMethod {
  @Override
  public String name() {
    return "dense";
  }

  @Override
  public Map<String, Object> settings() {
    return Map.of();
  }

  @Override
  public AttentionSession open(AttentionPlan plan, Threads threads) {
    CallLog log = new CallLog();
    return new AttentionSession() {
      @Override
      public Attention attention(int layer, int branch) {
        return (query, key, value, step) -> {
          long start = System.nanoTime();
          Tensor output = attend(query, key, value);
          log.dense(step, layer, branch, "method", start);
          return output;
        };
      }

      @Override
      public AttentionReport report() {
        return log.report();
      }

      @Override
      public void close() {}
    };
  }

  /** Exact attention; on a processor in float32, where libtorch is fast. */
  public static Tensor attend(Tensor query, Tensor key, Tensor value) {
    double scale = 1 / Math.sqrt(query.size(-1));
    DType dtype = query.dtype();
    if (query.device().isCpu() && dtype != DType.FLOAT64) {
      Tensor output =
          query
              .to(DType.FLOAT32)
              .scaledDotProductAttention(
                  key.to(DType.FLOAT32), value.to(DType.FLOAT32), null, scale);
      return output.to(dtype);
    }
    return query.scaledDotProductAttention(key, value, null, scale);
  }
}
