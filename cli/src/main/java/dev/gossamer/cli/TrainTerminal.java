package dev.gossamer.cli;

import dev.gossamer.lm.train.Evaluation;
import dev.gossamer.lm.train.StepReport;
import dev.gossamer.lm.train.TrainProgress;
import java.util.Locale;
import java.util.function.BooleanSupplier;

/** Lines on stderr about a run of training. */
final class TrainTerminal implements TrainProgress {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;
  private final int steps;
  private final int every;
  private double seconds;
  private long stepsSince;
  private double exchanged;

  TrainTerminal(Terminal terminal, BooleanSupplier interrupted, int steps, int every) {
    this.terminal = terminal;
    this.interrupted = interrupted;
    this.steps = steps;
    this.every = every;
  }

  @Override
  public void step(StepReport report) {
    seconds += report.seconds();
    exchanged += report.exchangeShare() * report.seconds();
    stepsSince++;
    if (!report.skipped().isEmpty()) {
      terminal.err().println("Step " + report.step() + " moved nothing: " + report.skipped());
    }
    if (report.step() % every != 0 && report.step() != steps && report.step() != 1) {
      return;
    }
    double mean = seconds / stepsSince;
    double rate = report.tokensPerSecond() * report.seconds() / mean;
    terminal
        .err()
        .println(
            String.format(
                Locale.ROOT,
                "step %d/%d  loss %.4f  bits/byte %.3f  rate %.2e  norm %.2f  %.0f tokens/s"
                    + "  balance %.2f  exchange %.0f%%  left %s",
                report.step(),
                steps,
                report.loss(),
                report.bitsPerByte(),
                report.learningRate(),
                report.gradientNorm(),
                rate,
                report.balance().mean(),
                100 * exchanged / seconds,
                duration(mean * (steps - report.step()))));
    seconds = 0;
    exchanged = 0;
    stepsSince = 0;
  }

  private static String duration(double seconds) {
    long whole = Math.round(seconds);
    return whole < 60
        ? whole + " s"
        : whole < 3600
            ? String.format("%d:%02d min", whole / 60, whole % 60)
            : String.format("%d:%02d h", whole / 3600, whole / 60 % 60);
  }

  @Override
  public void evaluated(Evaluation evaluation) {
    terminal
        .err()
        .println(
            String.format(
                Locale.ROOT,
                "step %d  held-out loss %.4f  perplexity %.2f  bits/byte %.4f  (%,d tokens)",
                evaluation.step(),
                evaluation.loss(),
                evaluation.perplexity(),
                evaluation.bitsPerByte(),
                evaluation.tokens()));
  }

  @Override
  public void note(String line) {
    terminal.err().println(Terminal.harmless(line));
  }

  @Override
  public boolean cancelled() {
    return interrupted.getAsBoolean();
  }
}
