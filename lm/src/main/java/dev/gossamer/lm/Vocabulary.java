package dev.gossamer.lm;

import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.Projection;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Both ends of the model: tokens to rows, rows to what comes next. Losses are calculated for some
 * rows at a time, as the logits of all would be the largest tensor of a training step.
 */
final class Vocabulary {
  /** Marks a row that has no next token to predict. */
  static final int NO_TARGET = -1;

  private static final double DEVIATION = 0.02;
  private static final long LOGITS_AT_ONCE = 1 << 23;

  private static final long ROWS = 64;

  private final int size;
  private final Device device;
  private final Parameter embedding;
  private final Parameter places; // null without learned positions
  private final Projection head;
  private final boolean tied;
  private final Threads threads;

  Vocabulary(ModelSettings model, FreshWeights fresh, Threads threads) {
    this.size = model.vocabulary();
    this.device = fresh.device();
    this.threads = threads;
    this.tied = model.tied();
    this.embedding = fresh.table("embedding", size, model.hidden(), DEVIATION);
    this.places =
        model.attention().positions() == Positions.LEARNED
            ? fresh.table("positions", model.context(), model.hidden(), DEVIATION)
            : null;
    Parameter output = tied ? embedding : fresh.table("head", size, model.hidden(), DEVIATION);
    this.head = new Projection(output, Optional.empty());
  }

  List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(embedding));
    if (places != null) {
      all.add(places);
    }
    if (!tied) {
      all.addAll(head.parameters());
    }
    return all;
  }

  /** {@code [rows, hidden]}. */
  Tensor embed(int[] ids, Rows rows) {
    Tensor of = embedding.value().indexSelect(0, of(ids));
    return places == null ? of : of.add(places.value().indexSelect(0, rows.positions(device)));
  }

  /** Adds the tables' gradients. */
  void embedBack(int[] ids, Rows rows, Tensor ofRows) {
    add(embedding, of(ids), ofRows, rows.batch().number());
    if (places != null) {
      add(places, rows.positions(device), ofRows, rows.batch().number());
    }
  }

  private Tensor of(int[] ids) {
    return Tensor.of(ids, ids.length).to(device);
  }

  private static void add(Parameter table, Tensor index, Tensor ofRows, int microBatch) {
    Tensor into = table.gradientOf(microBatch);
    if (into.dtype() == DType.BFLOAT16) { // a frequent token's many small parts would be lost
      Tensor sum = Tensor.empty(DType.FLOAT32, into.device(), into.shape()).fill(0);
      into.addInPlace(sum.indexAdd(0, index, ofRows.to(DType.FLOAT32)).to(into.dtype()));
    } else {
      into.indexAdd(0, index, ofRows);
    }
  }

  /** {@code [rows, vocabulary]} in float32 or float64. */
  Tensor logits(Tensor rows) {
    return head.forward(rows, threads).to(FreshWeights.exact(rows.dtype()));
  }

  /**
   * Sum of the cross-entropies, in nats.
   *
   * @param targets the next token of each row, or {@link #NO_TARGET}
   */
  double loss(Tensor rows, int[] targets) {
    double[] sum = new double[1];
    eachPart(
        rows,
        (from, count) -> {
          Tensor logits = logits(rows.narrow(0, from, count));
          sum[0] += losses(logits, targets, (int) from).sum().item();
        });
    return sum[0];
  }

  /**
   * Likewise, with gradients: adds the head's and writes that of the rows.
   *
   * @param ofRows {@code [rows, hidden]}, written
   * @param normaliser by which the sum is divided before its gradient is taken
   */
  double lossWithGradient(
      Tensor rows, int[] targets, double normaliser, Tensor ofRows, int microBatch) {
    double[] sum = new double[1];
    eachPart(
        rows,
        (from, count) -> {
          Tensor some = rows.narrow(0, from, count);
          Tensor logits = logits(some);
          sum[0] += losses(logits, targets, (int) from).sum().item();
          Tensor ofLogits = gradient(logits, targets, (int) from, normaliser);
          ofRows
              .narrow(0, from, count)
              .copyFrom(head.backward(some, ofLogits.to(rows.dtype()), microBatch, threads));
        });
    return sum[0];
  }

  private interface Part {
    void of(long from, long count);
  }

  private void eachPart(Tensor rows, Part work) {
    long atOnce = Math.max(1, LOGITS_AT_ONCE / size);
    for (long from = 0; from < rows.size(0); from += atOnce) {
      try (Scope scope = Scope.open()) {
        work.of(from, Math.min(atOnce, rows.size(0) - from));
      }
    }
  }

  /** {@code [rows, 1]}, 0 for rows without a target. */
  private Tensor losses(Tensor logits, int[] targets, int from) {
    Tensor index = index(targets, from, (int) logits.size(0));
    Tensor losses = logits.logSumExp(true, 1).sub(logits.gather(1, index));
    return losses.mul(mask(targets, from, (int) logits.size(0)).to(logits.dtype()));
  }

  /** {@code (softmax - one of the target) / normaliser}, made in the logits' own memory. */
  private Tensor gradient(Tensor logits, int[] targets, int from, double normaliser) {
    int count = (int) logits.size(0);
    long part = device.isCpu() ? ROWS : count; // a card takes all at once
    threads.forEach(
        (int) ((count + part - 1) / part),
        block -> {
          Tensor some = logits.narrow(0, block * part, Math.min(part, count - block * part));
          Tensor.softmaxInto(some, some, 1);
        });
    Tensor index = index(targets, from, count);
    logits.scatter(1, index, logits.gather(1, index).sub(1));
    Tensor factor = mask(targets, from, count).mul(1 / normaliser).to(logits.dtype());
    return logits.mulInPlace(factor);
  }

  private Tensor index(int[] targets, int from, int count) {
    long[] index = new long[count];
    for (int i = 0; i < count; i++) {
      index[i] = Math.max(0, targets[from + i]);
    }
    return Tensor.of(index, count, 1).to(device);
  }

  private Tensor mask(int[] targets, int from, int count) {
    double[] mask = new double[count];
    for (int i = 0; i < count; i++) {
      mask[i] = targets[from + i] == NO_TARGET ? 0 : 1;
    }
    return Tensor.of(mask, count, 1).to(device);
  }
}
