package dev.gossamer.video;

/**
 * Hears how a video comes along, and may stop it. Methods are called on the thread that generates,
 * stages follow each other; an exception from one of them ends the run like any other failure.
 */
public interface Progress {
  /** Hears nothing and never stops. */
  Progress NONE = new Progress() {};

  /**
   * A stage begins.
   *
   * @param steps how many steps it has, 0 if it is one piece
   */
  default void begin(Stage stage, int steps) {}

  /**
   * A step of the stage is done.
   *
   * @param done steps done, from 1; begins higher in a run that was resumed
   * @param steps how many the stage has
   */
  default void advance(Stage stage, int done, int steps) {}

  /** A stage ended well. */
  default void end(Stage stage, double seconds) {}

  /** Something that a person should know though nothing is wrong, in one line. */
  default void note(String line) {}

  /**
   * Asked between steps: whether the run should stop. It then saves what it needs to go on later
   * and throws {@link dev.gossamer.tensor.failure.InterruptedRunException}. Interrupting the
   * generating thread does the same, whatever this answers.
   */
  default boolean cancelled() {
    return false;
  }
}
