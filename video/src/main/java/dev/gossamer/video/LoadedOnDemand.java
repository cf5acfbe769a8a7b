package dev.gossamer.video;

import java.util.function.Supplier;

/**
 * A part of a model that is there only while it is wanted. Not for several threads at once.
 *
 * @param <T> the part; closing it frees its weights
 */
public final class LoadedOnDemand<T extends AutoCloseable> implements AutoCloseable {
  private final Supplier<T> loader;
  private T part;

  /**
   * @param loader makes the part, each time it is wanted after it was released
   */
  public LoadedOnDemand(Supplier<T> loader) {
    this.loader = loader;
  }

  public boolean isLoaded() {
    return part != null;
  }

  /** The part, loaded if it is not there. */
  public T get() {
    if (part == null) {
      part = loader.get();
    }
    return part;
  }

  /** Frees the part; it may be wanted again later. */
  @Override
  public void close() {
    T loaded = part;
    part = null;
    if (loaded != null) {
      try {
        loaded.close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException("Freeing memory does not fail with " + e, e);
      }
    }
  }
}
