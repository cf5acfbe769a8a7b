package dev.gossamer.lm.serve;

import dev.gossamer.lm.LanguageModel;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Locale;
import java.util.OptionalInt;

/**
 * What an engine takes on.
 *
 * @param batch texts that are continued at once, at most
 * @param cacheTokens tokens that the caches of these may come to hold together
 * @param queue texts that may wait besides
 * @param prefill tokens of prompts that a step reads at most, so that texts which are being
 *     continued do not stand still while a long prompt is read
 */
public record EngineSettings(int batch, int cacheTokens, int queue, int prefill) {
  /** Tokens of prompts in a step, unless said otherwise. */
  public static final int PREFILL = 256;

  /**
   * @throws UsageException if a value is out of its range
   */
  public EngineSettings {
    require(batch >= 1 && batch <= 4096, batch + " texts at once", "1 to 4096");
    require(cacheTokens >= 2, "a cache of " + cacheTokens + " tokens", "2 or more");
    require(queue >= 0 && queue <= 65536, "a queue of " + queue, "0 to 65536");
    require(prefill >= 1, prefill + " tokens of prompts in a step", "1 or more");
  }

  /**
   * For a model on this machine.
   *
   * @param cacheTokens empty for the whole context of each text, or as much of it as half of the
   *     free memory holds
   * @throws EnvironmentException if there is not the memory for these
   */
  public static EngineSettings fitting(
      LanguageModel model, int batch, OptionalInt cacheTokens, int queue) {
    return fitting(model, batch, cacheTokens, queue, Machine.here().availableBytes());
  }

  static EngineSettings fitting(
      LanguageModel model, int batch, OptionalInt cacheTokens, int queue, long free) {
    long each = model.cacheBytesPerToken();
    if (cacheTokens.isPresent() && cacheTokens.getAsInt() > free / each) {
      throw new EnvironmentException(
          String.format(
              Locale.ROOT,
              "A cache of %,d tokens takes %.1f GB, of which %.1f GB are free",
              cacheTokens.getAsInt(),
              cacheTokens.getAsInt() * each / 1e9,
              free / 1e9),
          "Use fewer tokens");
    }
    long whole = (long) batch * model.settings().context();
    int tokens = (int) Math.min(Integer.MAX_VALUE, Math.min(whole, Math.max(2, free / 2 / each)));
    return new EngineSettings(batch, cacheTokens.orElse(tokens), queue, PREFILL);
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("A model cannot be served with " + found, "Use " + remedy);
    }
  }

  /** Texts that are there at the same time, running or waiting. */
  public int most() {
    return batch + queue;
  }
}
