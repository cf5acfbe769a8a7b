package dev.gossamer.tensor.weights;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * Hands a model its weights by name while it is built, and keeps account: a model asks for each
 * tensor with the shape that it needs, and {@link #check} then says in one error what was missing,
 * misshapen or left over.
 *
 * <p>A tensor stored in the wanted type is used straight from the mapped file; another is
 * converted, one at a time, so that memory never holds a model twice.
 */
public final class Parameters {
  private final TensorFiles files;
  private final DType dtype;
  private final Device device;
  private final Scope owner;
  private final Predicate<String> keepFloat32;
  private final TreeSet<String> unread;
  private final List<String> problems = new ArrayList<>();
  private long count;

  private Parameters(
      TensorFiles files, DType dtype, Device device, Scope owner, Predicate<String> keepFloat32) {
    this.files = files;
    this.dtype = dtype;
    this.device = device;
    this.owner = owner;
    this.keepFloat32 = keepFloat32;
    this.unread = new TreeSet<>(files.entries().keySet());
  }

  /**
   * Loads weights.
   *
   * @param dtype type of every floating tensor, but for those that {@code keepFloat32} names
   * @param owner scope that will own the weights
   */
  public static Parameters load(
      TensorFiles files, DType dtype, Device device, Scope owner, Predicate<String> keepFloat32) {
    return new Parameters(files, dtype, device, owner, keepFloat32);
  }

  /**
   * Loads nothing: every tensor is a zero that only has the right shape. For looking at a
   * checkpoint of any size.
   */
  public static Parameters inspect(TensorFiles files, Scope owner) {
    return new Parameters(files, null, Device.CPU, owner, name -> false);
  }

  /** Whether the files hold a tensor of this name. */
  public boolean has(String name) {
    return files.has(name);
  }

  /**
   * The tensor of this name; where it is missing or misshapen, the problem is noted for {@link
   * #check} and a zero of the right shape returned.
   *
   * @throws BadInputException if it holds a NaN or an infinite number
   */
  public Tensor get(String name, long... shape) {
    return derive(UnaryOperator.identity(), name, shape);
  }

  /**
   * As {@link #get}, but keeps another arrangement of the stored numbers: another layout in memory,
   * a transposition, sums. {@code arrangement} gets the tensor as it is stored, on the processor;
   * its result is then converted. When looking at a checkpoint only, it is not called.
   */
  public Tensor derive(UnaryOperator<Tensor> arrangement, String name, long... shape) {
    count += Arrays.stream(shape).reduce(1, Math::multiplyExact);
    unread.remove(name);
    SafetensorsFile.Entry entry = files.entries().get(name);
    if (entry == null) {
      problems.add("missing '" + name + "' " + Arrays.toString(shape));
    } else if (!Arrays.equals(entry.sizes(), shape)) {
      problems.add("'" + name + "' is " + entry.shape() + ", expected " + Arrays.toString(shape));
    } else if (dtype != null) {
      return read(name, entry, arrangement);
    }
    try (Scope scope = Scope.open()) {
      return owner.adopt(Tensor.zeros(dtype == null ? DType.FLOAT32 : dtype, 1).expand(shape));
    }
  }

  private Tensor read(String name, SafetensorsFile.Entry entry, UnaryOperator<Tensor> arrangement) {
    try (Scope scope = Scope.open()) {
      Tensor stored = files.tensor(name);
      DType wanted =
          !entry.dtype().isFloating()
              ? entry.dtype()
              : keepFloat32.test(name) ? DType.FLOAT32 : dtype;
      if (entry.dtype().isFloating() && !stored.isFinite().all().isTrue()) {
        throw new BadInputException(
            "Tensor '" + name + "' in " + files.folder() + " holds NaN or infinite numbers",
            "Download the weights again");
      }
      Tensor arranged = arrangement.apply(stored);
      if (arranged == stored && stored.dtype() == wanted && device.isCpu()) {
        return owner.adopt(stored); // itself: a view would not keep the file mapped
      }
      Tensor loaded = arranged.to(wanted).to(device);
      return owner.adopt(arranged.dtype() == wanted && device.isCpu() ? loaded.copy() : loaded);
    }
  }

  /** Declares tensors that may be in the files though nothing reads them. */
  public void ignore(Predicate<String> names) {
    unread.removeIf(names);
  }

  /** Numbers asked for so far. */
  public long count() {
    return count;
  }

  /** What does not fit: missing, misshapen, unexpected; empty for a sound checkpoint. */
  public List<String> problems() {
    List<String> all = new ArrayList<>(problems);
    unread.forEach(name -> all.add("unexpected '" + name + "' " + entryShape(name)));
    return all;
  }

  private List<Long> entryShape(String name) {
    Map<String, SafetensorsFile.Entry> entries = files.entries();
    return entries.get(name).shape();
  }

  /**
   * @throws BadInputException that lists what does not fit, if anything
   */
  public void check() {
    List<String> all = problems();
    if (!all.isEmpty()) {
      int shown = Math.min(all.size(), 5);
      throw new BadInputException(
          "The weights in "
              + files.folder()
              + " do not fit the model that its config.json describes: "
              + String.join("; ", all.subList(0, shown))
              + (all.size() > shown ? "; and " + (all.size() - shown) + " more" : ""),
          "'gossamer models inspect' lists everything; is the config from another model?");
    }
  }
}
