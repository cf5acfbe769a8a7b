package dev.gossamer.lm.train;

/** Hears how a run comes along, on rank 0, and may stop it on any. */
public interface TrainProgress {
  /** Hears nothing. */
  TrainProgress SILENT = new TrainProgress() {};

  /** A step is done. */
  default void step(StepReport report) {}

  /** Held-out text was looked at. */
  default void evaluated(Evaluation evaluation) {}

  /** Something worth a line. */
  default void note(String line) {}

  /** Whether to save and stop after this step. */
  default boolean cancelled() {
    return false;
  }
}
