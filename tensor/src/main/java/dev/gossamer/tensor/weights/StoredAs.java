package dev.gossamer.tensor.weights;

import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Where a tensor's numbers lie in files that name or arrange them otherwise than the model does.
 *
 * @param name of the stored tensor
 * @param item which one it is of a stack that is stored as one tensor; empty unless it is one
 * @param rows runs of its first axis that make the tensor, in their order; empty for all of it
 */
public record StoredAs(String name, OptionalLong item, List<Rows> rows) {
  /**
   * A run of a tensor's first axis, within a stack that of its item.
   *
   * @param start first row
   * @param count how many
   */
  public record Rows(long start, long count) {}

  public StoredAs {
    rows = List.copyOf(rows);
  }

  /** All of a tensor of another name. */
  public static StoredAs all(String name) {
    return new StoredAs(name, List.of());
  }

  /** Runs of another tensor's first axis. */
  public StoredAs(String name, List<Rows> rows) {
    this(name, OptionalLong.empty(), rows);
  }

  /** Runs of the first axis of an item of a stack. */
  public static StoredAs ofStack(String name, long item, List<Rows> rows) {
    return new StoredAs(name, OptionalLong.of(item), rows);
  }

  /**
   * The rows of a stored tensor, or of one that was made for it: a view where one run is enough.
   */
  public Tensor of(Tensor stored) {
    Tensor all = item.isPresent() ? stored.select(0, item.getAsLong()) : stored;
    if (rows.isEmpty()) {
      return all;
    }
    List<Tensor> runs = new ArrayList<>();
    rows.forEach(run -> runs.add(all.narrow(0, run.start(), run.count())));
    return runs.size() == 1 ? runs.get(0) : Tensor.cat(0, runs);
  }

  /** What is known of the tensor under the model's name. */
  SafetensorsFile.Entry entry(String modelName, SafetensorsFile.Entry stored) {
    List<Long> shape = new ArrayList<>(stored.shape());
    long parts = 1; // of the stored bytes, one of which are the tensor's
    if (item.isPresent()) {
      if (shape.isEmpty() || shape.get(0) <= item.getAsLong()) {
        return stored.named(modelName); // its shape is not what was expected, which is then said
      }
      parts = shape.remove(0);
    }
    if (!rows.isEmpty() && !shape.isEmpty()) {
      long all = shape.get(0);
      if (rows.stream().anyMatch(run -> run.start() + run.count() > all)) {
        return stored.named(modelName);
      }
      long count = rows.stream().mapToLong(Rows::count).sum();
      shape.set(0, count);
      return entry(modelName, stored, shape, stored.bytes() / parts / all * count);
    }
    return entry(modelName, stored, shape, stored.bytes() / parts);
  }

  private static SafetensorsFile.Entry entry(
      String modelName, SafetensorsFile.Entry stored, List<Long> shape, long bytes) {
    return new SafetensorsFile.Entry(modelName, stored.dtype(), shape, stored.offset(), bytes);
  }
}
