package dev.gossamer.tensor.weights;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
 *
 * <p>{@link #load} reads the weights; {@link #inspect} only compares a checkpoint's header with
 * what the model asks for; {@link #outline} has no checkpoint at all and only notes what is asked.
 */
public final class Parameters {
  private static final long PIECE = 1 << 20; // stays in a core's cache

  private final Optional<TensorFiles> files;
  private final Optional<DType> dtype; // empty: nothing is read
  private final Device device;
  private final Scope owner;
  private final Predicate<String> keepFloat32;
  private final Account account;

  /** What was asked for, and what of the files was not. */
  private static final class Account {
    private final TreeSet<String> unread = new TreeSet<>();
    private final Map<String, List<Long>> asked = new LinkedHashMap<>();
    private final List<String> problems = new ArrayList<>();
    private long count;

    static Account of(TensorFiles files) {
      Account account = new Account();
      account.unread.addAll(files.entries().keySet());
      return account;
    }
  }

  private Parameters(
      Optional<TensorFiles> files,
      Optional<DType> dtype,
      Device device,
      Scope owner,
      Predicate<String> keepFloat32,
      Account account) {
    this.files = files;
    this.dtype = dtype;
    this.device = device;
    this.owner = owner;
    this.keepFloat32 = keepFloat32;
    this.account = account;
  }

  /**
   * Loads weights.
   *
   * @param dtype type of every floating tensor, but for those that {@code keepFloat32} names
   * @param owner scope that will own the weights
   */
  public static Parameters load(
      TensorFiles files, DType dtype, Device device, Scope owner, Predicate<String> keepFloat32) {
    return new Parameters(
        Optional.of(files), Optional.of(dtype), device, owner, keepFloat32, Account.of(files));
  }

  /**
   * Loads nothing: every tensor is a zero that only has the right shape. For looking at a
   * checkpoint of any size.
   */
  public static Parameters inspect(TensorFiles files, Scope owner) {
    return new Parameters(
        Optional.of(files), Optional.empty(), Device.CPU, owner, name -> false, Account.of(files));
  }

  /**
   * Needs no files: every tensor is a zero that only has the right shape, and {@link #asked} tells
   * what a checkpoint of this model holds.
   */
  public static Parameters outline(Scope owner) {
    return new Parameters(
        Optional.empty(), Optional.empty(), Device.CPU, owner, name -> false, new Account());
  }

  /**
   * The same account without reading: what is asked for here counts as asked for there, but is only
   * held against the files. For what is read later, by {@link #into}.
   */
  public Parameters unread(Scope shapes) {
    return new Parameters(files, Optional.empty(), device, shapes, keepFloat32, account);
  }

  /** The same weights for another owner, with an account of its own that knows of no rest. */
  public Parameters into(Scope other) {
    return new Parameters(files, dtype, device, other, keepFloat32, new Account());
  }

  /** Whether the files hold a tensor of this name. */
  public boolean has(String name) {
    return files.isPresent() && files.get().has(name);
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
    account.count += Arrays.stream(shape).reduce(1, Math::multiplyExact);
    account.asked.put(name, Arrays.stream(shape).boxed().toList());
    account.unread.remove(name);
    if (files.isEmpty()) {
      return placeholder(shape);
    }
    SafetensorsFile.Entry entry = files.get().entries().get(name);
    if (entry == null) {
      account.problems.add("missing '" + name + "' " + Arrays.toString(shape));
    } else if (!Arrays.equals(entry.sizes(), shape)) {
      account.problems.add(
          "'" + name + "' is " + entry.shape() + ", expected " + Arrays.toString(shape));
    } else if (dtype.isPresent()) {
      return read(files.get(), entry, dtype.get(), arrangement);
    }
    return placeholder(shape);
  }

  /** One zero, seen as the whole shape: costs no memory. */
  private Tensor placeholder(long... shape) {
    try (Scope scope = Scope.open()) {
      return owner.adopt(Tensor.zeros(dtype.orElse(DType.FLOAT32), 1).expand(shape));
    }
  }

  private Tensor read(
      TensorFiles from,
      SafetensorsFile.Entry entry,
      DType floating,
      UnaryOperator<Tensor> arrangement) {
    try (Scope scope = Scope.open()) {
      Tensor found = from.tensor(entry.name());
      Tensor stored = found.dtype().isFloat8() ? found.to(DType.FLOAT32) : found;
      if (!entry.dtype().isFloating()) {
        return owner.adopt(stored.to(device));
      }
      if (!isFinite(stored)) {
        throw new BadInputException(
            "Tensor '" + entry.name() + "' in " + from.origin() + " holds NaN or infinite numbers",
            "Download the weights again");
      }
      DType wanted = keepFloat32.test(entry.name()) ? DType.FLOAT32 : floating;
      return owner.adopt(arrangement.apply(stored).to(wanted).to(device));
    }
  }

  /**
   * A piece at a time: a large table would need half its memory once more. A sum that is finite,
   * and quickly taken, has no summand that is not; only others have each number looked at.
   */
  private static boolean isFinite(Tensor stored) {
    Tensor all = stored.flatten(0, -1);
    for (long from = 0; from < all.count(); from += PIECE) {
      try (Scope scope = Scope.open()) {
        Tensor piece = all.narrow(0, from, Math.min(PIECE, all.count() - from));
        if (!Double.isFinite(piece.sum().item()) && !piece.isFinite().all().isTrue()) {
          return false;
        }
      }
    }
    return true;
  }

  /** Declares tensors that may be in the files though nothing reads them. */
  public void ignore(Predicate<String> names) {
    account.unread.removeIf(names);
  }

  /** Numbers asked for so far. */
  public long count() {
    return account.count;
  }

  /** Names and shapes asked for so far, in that order. */
  public Map<String, List<Long>> asked() {
    return Collections.unmodifiableMap(account.asked);
  }

  /** What does not fit: missing, misshapen, unexpected; empty for a sound checkpoint. */
  public List<String> problems() {
    List<String> all = new ArrayList<>(account.problems);
    files.ifPresent(
        known ->
            account.unread.forEach(
                name -> all.add("unexpected '" + name + "' " + known.entries().get(name).shape())));
    return all;
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
              + files.map(known -> known.origin().toString()).orElse("no folder")
              + " do not fit the model that its config.json describes: "
              + String.join("; ", all.subList(0, shown))
              + (all.size() > shown ? "; and " + (all.size() - shown) + " more" : ""),
          "'gossamer models inspect' lists everything; is the config from another model?");
    }
  }
}
