package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.Tensor;

/** Where a method that adds noise in its steps gets it from: one video's draws, in order. */
@FunctionalInterface
public interface StepNoise {
  /** For methods that add none. */
  StepNoise NONE =
      () -> {
        throw new IllegalStateException("This method adds noise; open its stepper with a source");
      };

  /**
   * The next draw: standard normal numbers of the sample's shape, FLOAT32, in the current scope.
   */
  Tensor next();
}
