package dev.gossamer.video;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.StoredAs;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What one module of a LoRA adds to a weight or bias.
 *
 * @param lora whose it is
 * @param key of the file, for messages
 * @param rows of the change
 * @param perRow numbers of a row
 * @param make makes it, {@code [rows, perRow]} float32, in the current scope
 */
record LoraDelta(LoraFile lora, String key, long rows, long perRow, Supplier<Tensor> make) {
  /** scale (alpha / rank) up down; alpha is the rank where the file has none. */
  static LoraDelta lowRank(
      LoraFile lora, SafetensorsFile file, String downKey, String upKey, Optional<String> alpha) {
    List<Long> down = shape(lora, file, downKey);
    List<Long> up = shape(lora, file, upKey);
    long rank = down.get(0);
    long rows = up.get(0);
    long perRow = count(down) / Math.max(1, rank);
    if (rank < 1 || down.size() < 2 || count(up) != rows * rank) {
      throw bad(lora, "'" + downKey + "' is " + down + " and '" + upKey + "' is " + up);
    }
    double factor = lora.scale() * alpha.map(key -> number(lora, file, key) / rank).orElse(1.0);
    return new LoraDelta(
        lora,
        upKey,
        rows,
        perRow,
        () -> {
          try (Scope scope = Scope.open()) {
            Tensor first = file.tensor(downKey).to(DType.FLOAT32).reshape(rank, perRow);
            Tensor second = file.tensor(upKey).to(DType.FLOAT32).reshape(rows, rank);
            return scope.keep(finite(lora, upKey, second.matmul(first).mul(factor)));
          }
        });
  }

  /** scale times a difference that is stored in full. */
  static LoraDelta plain(LoraFile lora, SafetensorsFile file, String key) {
    List<Long> shape = shape(lora, file, key);
    long rows = shape.get(0);
    long perRow = count(shape) / Math.max(1, rows);
    return new LoraDelta(
        lora,
        key,
        rows,
        perRow,
        () -> {
          try (Scope scope = Scope.open()) {
            Tensor stored = file.tensor(key).to(DType.FLOAT32).reshape(rows, perRow);
            return scope.keep(finite(lora, key, stored.mul(lora.scale())));
          }
        });
  }

  /**
   * @param target what it would change, of this shape
   * @param place which rows of the change are the target's
   * @throws BadInputException if it does not fit
   */
  void check(String target, List<Long> shape, StoredAs place) {
    long targetRows = shape.isEmpty() ? 1 : shape.get(0);
    long targetPerRow = count(shape) / Math.max(1, targetRows);
    long last = place.rows().stream().mapToLong(run -> run.start() + run.count()).max().orElse(0);
    boolean fits = place.rows().isEmpty() ? rows == targetRows : rows >= last;
    if (!fits || perRow != targetPerRow) {
      throw bad(
          lora,
          "'"
              + key
              + "' changes "
              + rows
              + " x "
              + perRow
              + " numbers, but '"
              + target
              + "' is "
              + shape);
    }
  }

  static BadInputException bad(LoraFile lora, String what) {
    return new BadInputException(
        "Cannot use the LoRA " + lora.file() + ": " + what, "Is it a LoRA for this model?");
  }

  private static List<Long> shape(LoraFile lora, SafetensorsFile file, String key) {
    SafetensorsFile.Entry entry = file.entries().get(key);
    if (entry.shape().isEmpty() || !entry.dtype().isFloating()) {
      throw bad(lora, "'" + key + "' is " + entry.dtype().safetensorsName() + " " + entry.shape());
    }
    return entry.shape();
  }

  private static double number(LoraFile lora, SafetensorsFile file, String key) {
    try (Scope scope = Scope.open()) {
      Tensor alpha = file.tensor(key);
      double value = alpha.count() == 1 ? alpha.to(DType.FLOAT64).reshape(1).item() : Double.NaN;
      if (!Double.isFinite(value)) {
        throw bad(lora, "'" + key + "' is no number");
      }
      return value;
    }
  }

  private static long count(List<Long> shape) {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  private static Tensor finite(LoraFile lora, String key, Tensor change) {
    if (!change.isFinite().all().isTrue()) {
      throw bad(lora, "'" + key + "' gives numbers that are not finite");
    }
    return change;
  }
}
