package dev.gossamer.tensor.weights;

import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Where a tensor's numbers lie in files that name or arrange them otherwise than the model does.
 *
 * @param name of the stored tensor
 * @param rows runs of its first axis that make the tensor, in their order; empty for all of it
 */
public record StoredAs(String name, List<Rows> rows) {
  /**
   * A run of a tensor's first axis.
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

  /**
   * The rows of a stored tensor, or of one that was made for it: a view where one run is enough.
   */
  public Tensor of(Tensor stored) {
    if (rows.isEmpty()) {
      return stored;
    }
    List<Tensor> runs = new ArrayList<>();
    rows.forEach(run -> runs.add(stored.narrow(0, run.start(), run.count())));
    return runs.size() == 1 ? runs.get(0) : Tensor.cat(0, runs);
  }

  /** What is known of the tensor under the model's name. */
  SafetensorsFile.Entry entry(String modelName, SafetensorsFile.Entry stored) {
    if (rows.isEmpty() || stored.shape().isEmpty()) {
      return stored.named(modelName);
    }
    long all = stored.shape().get(0);
    long last = rows.stream().mapToLong(run -> run.start() + run.count()).max().orElse(0);
    if (last > all) {
      return stored.named(modelName); // its shape is not what was expected, which is then said
    }
    long count = rows.stream().mapToLong(Rows::count).sum();
    List<Long> shape = new ArrayList<>(stored.shape());
    shape.set(0, count);
    return new SafetensorsFile.Entry(
        modelName, stored.dtype(), shape, stored.offset(), stored.bytes() / all * count);
  }
}
