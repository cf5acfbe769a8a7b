package dev.gossamer.attention;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.cuda.Stopwatch;
import java.util.Map;

/** Every query attends to every key: the yardstick. */
public final class DenseAttention implements AttentionMethod {
  private static final boolean NATIVE_BFLOAT16 = Machine.here().bfloat16();
  private static final long STRIP_SCORES = 1 << 18;

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
          Stopwatch watch = Stopwatch.start(query.device());
          Tensor output = attend(query, key, value, threads);
          log.dense(step, layer, branch, "method", watch);
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

  /**
   * Exact attention. On a processor heads run side by side: in float32 on its vectors where Java
   * may use them ({@link dev.gossamer.attention.vector.VectorApi}) and they are faster, else
   * through libtorch's own kernel; in bf16, where the processor multiplies it, in strips of
   * queries, because that kernel is 25 times slower in bf16 there, and elsewhere in float32 as
   * well.
   *
   * @param query {@code [batch, heads, tokens, headDim]}, likewise key and value
   * @return the same shape and type
   */
  public static Tensor attend(Tensor query, Tensor key, Tensor value, Threads threads) {
    double scale = 1 / Math.sqrt(query.size(-1));
    if (!query.device().isCpu()) {
      return query.scaledDotProductAttention(key, value, null, scale);
    }
    long heads = query.size(1);
    boolean vectors = VectorDense.serves(query, key);
    // Tokens before heads in memory: joining the heads afterwards then costs nothing.
    Tensor output =
        Tensor.empty(query.dtype(), query.size(0), query.size(2), heads, value.size(3))
            .transpose(1, 2);
    threads.forEach(
        (int) (query.size(0) * heads),
        h -> {
          Tensor q = query.select(0, h / heads).select(0, h % heads);
          Tensor k = key.select(0, h / heads).select(0, h % heads);
          Tensor v = value.select(0, h / heads).select(0, h % heads);
          Tensor out = output.select(0, h / heads).select(0, h % heads);
          if (query.dtype() == DType.BFLOAT16 && NATIVE_BFLOAT16) {
            inStrips(q, k.contiguous(), v.contiguous(), scale, out);
          } else if (vectors) {
            VectorDense.attend(q, k, v, scale, out);
          } else {
            out.copyFrom(wholeHead(q, k, v, scale));
          }
        });
    return output;
  }

  /**
   * Exact attention in one call of libtorch, on the threads that it uses inside; on a processor in
   * float32.
   *
   * @param query {@code [batch, heads, tokens, headDim]}, likewise key and value
   * @return the same shape and type
   */
  public static Tensor attend(Tensor query, Tensor key, Tensor value) {
    double scale = 1 / Math.sqrt(query.size(-1));
    if (!query.device().isCpu() || query.dtype() == DType.FLOAT64) {
      return query.scaledDotProductAttention(key, value, null, scale);
    }
    return query
        .to(DType.FLOAT32)
        .scaledDotProductAttention(key.to(DType.FLOAT32), value.to(DType.FLOAT32), null, scale)
        .to(query.dtype());
  }

  private static Tensor wholeHead(Tensor q, Tensor k, Tensor v, double scale) {
    DType exact = q.dtype() == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
    return batched(q.to(exact))
        .scaledDotProductAttention(batched(k.to(exact)), batched(v.to(exact)), null, scale)
        .squeeze(0)
        .squeeze(0);
  }

  private static Tensor batched(Tensor head) {
    return head.unsqueeze(0).unsqueeze(0);
  }

  /** Whole rows of scores at a time, as many as stay in the second-level cache. */
  private static void inStrips(Tensor q, Tensor k, Tensor v, double scale, Tensor out) {
    int tokens = (int) q.size(0);
    int rows = (int) Math.max(16, Math.min(256, STRIP_SCORES / k.size(0) / 16 * 16));
    Tensor scaled = q.mul(scale);
    Tensor keysTransposed = k.transpose(0, 1);
    Tensor scores = Tensor.empty(q.dtype(), rows, k.size(0));
    for (int from = 0; from < tokens; from += rows) {
      int count = Math.min(rows, tokens - from);
      try (Scope scope = Scope.open()) {
        Tensor strip = scores.narrow(0, 0, count);
        Tensor.matmulInto(strip, scaled.narrow(0, from, count), keysTransposed);
        Tensor.softmaxInto(strip, strip, -1);
        out.narrow(0, from, count).copyFrom(strip.matmul(v));
      }
    }
  }
}
