package dev.gossamer.cli;

import dev.gossamer.video.Progress;
import dev.gossamer.video.Stage;
import java.util.Map;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows how a video comes along: a bar with the time left for each stage of several steps, on
 * stderr, if a person watches it; notes always.
 */
final class TerminalProgress implements Progress, AutoCloseable {
  private static final int WIDTH = 79;
  private static final Map<Stage, String> TASKS =
      Map.of(
          Stage.TRANSFORMER, "Denoising",
          Stage.DENSE, "Denoising, dense",
          Stage.DECODE, "Decoding");

  private final Terminal terminal;
  private final BooleanSupplier interrupted;
  private ProgressBar bar;
  private String pending;

  /**
   * @param interrupted whether the run should stop
   * @param plan what to print before the first stage that computes: by then the weights are checked
   */
  TerminalProgress(Terminal terminal, BooleanSupplier interrupted, String plan) {
    this.terminal = terminal;
    this.interrupted = interrupted;
    this.pending = plan;
  }

  @Override
  public void begin(Stage stage, int steps) {
    if (stage != Stage.LOAD) {
      printPlan();
    }
    close();
    if (terminal.interactive() && TASKS.containsKey(stage) && steps > 1) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(TASKS.get(stage))
              .setInitialMax(steps)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(250)
              .setMaxRenderedLength(WIDTH)
              .clearDisplayOnFinish()
              .setConsumer(new ConsoleProgressBarConsumer(terminal.err(), WIDTH))
              .build();
    }
  }

  @Override
  public void advance(Stage stage, int done, int steps) {
    if (bar != null) {
      bar.stepTo(done);
    }
  }

  @Override
  public void end(Stage stage, double seconds) {
    close();
  }

  @Override
  public void note(String line) {
    printPlan();
    terminal.err().println(line);
  }

  @Override
  public boolean cancelled() {
    return interrupted.getAsBoolean() || Progress.super.cancelled();
  }

  /** Prints the plan, once. */
  void printPlan() {
    if (!pending.isEmpty()) {
      terminal.err().println(pending);
      pending = "";
    }
  }

  /** Takes the bar away, whatever became of its stage. */
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }
}
