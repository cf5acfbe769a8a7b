package dev.gossamer.cli;

import dev.gossamer.video.RunOptions;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.VideoResult;
import java.util.function.BooleanSupplier;

/**
 * Making one video with a person looking on: checks first, then the plan, progress and the table at
 * the end on stderr.
 *
 * @param interrupted whether the run should stop
 */
record Attempt(Terminal terminal, BooleanSupplier interrupted) {
  /**
   * @throws dev.gossamer.tensor.failure.GossamerException if the video cannot be made; nothing was
   *     printed if that is due to the request or to a file
   */
  VideoResult make(TextToVideo model, VideoRequest request, RunOptions run) {
    model.check(request, run);
    PlanText plan = PlanText.of(model, request);
    try (TerminalProgress progress = new TerminalProgress(terminal, interrupted, plan.line())) {
      if (plan.beforeLoading()) {
        progress.printPlan();
      }
      VideoResult result = model.generate(request, run, progress);
      terminal.err().println(RunTable.of(result.report()));
      return result;
    }
  }
}
