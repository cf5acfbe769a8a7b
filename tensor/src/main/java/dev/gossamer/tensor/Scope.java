package dev.gossamer.tensor;

import java.util.ArrayList;
import java.util.List;

/**
 * Owner of tensors: every tensor belongs to one scope and is freed when that scope closes.
 *
 * <pre>{@code
 * try (Scope scope = Scope.open()) {
 *   Tensor sum = a.add(b);          // belongs to scope
 *   return scope.keep(sum.mul(2));  // handed to the scope around this one; sum is freed here
 * }
 * }</pre>
 *
 * A scope from {@link #open()} belongs to the thread that opened it, and closes in the reverse
 * order of opening. A scope from {@link #detached()} is on no thread's stack: it holds what lives
 * long (the weights of a model, state between steps) and may be used from several threads.
 */
public final class Scope implements AutoCloseable {
  private static final ThreadLocal<Scope> CURRENT = new ThreadLocal<>();

  private final Scope outer;
  private final Thread thread;
  private final List<Tensor> tensors = new ArrayList<>();
  private boolean closed;

  private Scope(Scope outer, Thread thread) {
    this.outer = outer;
    this.thread = thread;
  }

  /** Opens a scope on this thread; results of tensor operations belong to it until it closes. */
  public static Scope open() {
    Scope scope = new Scope(CURRENT.get(), Thread.currentThread());
    CURRENT.set(scope);
    return scope;
  }

  /** A scope on no thread's stack; only {@link #adopt} puts tensors into it. */
  public static Scope detached() {
    return new Scope(null, null);
  }

  /**
   * The innermost open scope of this thread.
   *
   * @throws IllegalStateException if none is open: a result would belong to nobody and leak
   */
  static Scope current() {
    Scope scope = CURRENT.get();
    if (scope == null) {
      throw new IllegalStateException(
          "No Scope is open on thread '"
              + Thread.currentThread().getName()
              + "'; wrap tensor work in try (Scope scope = Scope.open())");
    }
    return scope;
  }

  /**
   * Hands a tensor to the scope around this one, so that it survives this scope.
   *
   * @return the tensor itself
   * @throws IllegalStateException if this is the outermost scope of its thread, or detached
   */
  public Tensor keep(Tensor tensor) {
    if (outer == null) {
      throw new IllegalStateException("There is no scope around this one to keep a tensor in");
    }
    return outer.adopt(tensor);
  }

  /** Takes over a tensor from whichever scope owns it; returns the tensor itself. */
  public Tensor adopt(Tensor tensor) {
    synchronized (tensors) {
      if (closed) {
        throw new IllegalStateException("This scope is closed already");
      }
      if (tensor.owner() != this) {
        tensor.owner(this);
        tensors.add(tensor);
      }
    }
    return tensor;
  }

  /** Frees every tensor that this scope still owns. Closing twice does nothing. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (thread != null) {
      if (CURRENT.get() != this) {
        throw new IllegalStateException(
            "Scopes close on their own thread, innermost first; this one is not the innermost");
      }
      if (outer == null) {
        CURRENT.remove();
      } else {
        CURRENT.set(outer);
      }
    }
    synchronized (tensors) {
      closed = true;
      for (Tensor tensor : tensors) {
        if (tensor.owner() == this) {
          tensor.close();
        }
      }
      tensors.clear();
    }
  }
}
