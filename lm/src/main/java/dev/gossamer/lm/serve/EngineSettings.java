package dev.gossamer.lm.serve;

import dev.gossamer.tensor.failure.UsageException;

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
