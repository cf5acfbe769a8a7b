package dev.gossamer.lm;

import dev.gossamer.tensor.failure.UsageException;
import java.util.List;

/**
 * Which layers of a model have experts.
 *
 * @param firstDense layers at the beginning that have none
 * @param every of the layers after those, every how many-th has experts; the last of each group
 * @param dense numbers of others that have none, ascending
 */
public record ExpertLayers(int firstDense, int every, List<Integer> dense) {
  /** Every layer. */
  public static final ExpertLayers ALL = new ExpertLayers(0, 1, List.of());

  /**
   * @throws UsageException if the numbers do not fit
   */
  public ExpertLayers {
    dense = dense.stream().sorted().distinct().toList();
    require(firstDense >= 0, firstDense + " dense layers first", "Use 0 or more");
    require(every >= 1, "experts in every " + every + "th layer", "Use 1 or more");
    require(
        dense.isEmpty() || dense.get(0) >= 0, "a dense layer " + dense, "Use numbers from 0 on");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No language model has " + found, remedy);
    }
  }

  /** Every layer but some at the beginning. */
  public static ExpertLayers after(int firstDense) {
    return new ExpertLayers(firstDense, 1, List.of());
  }

  /** Whether a layer has experts, if the model has some. */
  public boolean has(int layer) {
    return layer >= firstDense && (layer - firstDense + 1) % every == 0 && !dense.contains(layer);
  }
}
