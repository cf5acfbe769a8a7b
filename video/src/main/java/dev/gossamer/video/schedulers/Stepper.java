package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.Map;

/**
 * One video's walk through a {@link Schedule}: takes the steps in order, from 0, and owns what it
 * remembers of earlier ones. Not thread-safe; free it with {@link #close()}.
 */
public interface Stepper extends AutoCloseable {
  /**
   * Takes a step. All arithmetic is in float32, whatever the model runs in; the reference rounds to
   * the model's type in places (UniPC the scaled output, Euler the result).
   *
   * @param index the step, which must be the one after the last taken
   * @param modelOutput velocity, of the sample's shape, any floating type
   * @param sample the noisy video before this step, any shape; neither changed nor kept
   * @return FLOAT32, the sample after this step, in the caller's scope
   * @throws IllegalStateException if another step is due
   */
  Tensor step(int index, Tensor modelOutput, Tensor sample);

  /**
   * What the stepper remembers, by name: write it beside the sample, and {@link #restore} goes on
   * from there with the same bits. Empty for methods without a memory and before the first step.
   *
   * @return the stepper's own tensors, valid until the next step or {@link #close}
   */
  Map<String, Tensor> save();

  /**
   * Goes on from a saved state of the same schedule.
   *
   * @param next the step to take next: 0 for a fresh start, the schedule's number of steps if all
   *     are done
   * @param history what {@link #save} gave after step {@code next - 1}; copied. Further names are
   *     ignored
   * @throws BadInputException if a tensor is missing or they are not of one shape
   */
  void restore(int next, Map<String, Tensor> history);

  /** Frees what is remembered. */
  @Override
  void close();
}
