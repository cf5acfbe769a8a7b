package dev.gossamer.cli;

import dev.gossamer.distributed.lab.LinkMeasurement;
import dev.gossamer.distributed.lab.LinkShape;
import dev.gossamer.tensor.failure.UsageException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer lab measure}: what a shaped link really carries. */
@Command(
    name = "measure",
    description = "Measure a link between two nodes by TCP: each direction, then both at once.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class LabMeasureCommand implements Callable<Integer> {
  private static final int LONGEST = 60;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Option(
      names = "--rate",
      paramLabel = "R",
      defaultValue = "100mbit",
      description = "Rate to shape the link to, or none (default: ${DEFAULT-VALUE}).")
  private String rate;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "3",
      description = "Length of each of the three measurements (default: ${DEFAULT-VALUE}).")
  private int seconds;

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  LabMeasureCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    if (seconds < 1 || seconds > LONGEST) {
      throw new UsageException(
          "A link cannot be measured for " + seconds + " s", "Measure for 1 to " + LONGEST + " s");
    }
    LinkMeasurement link =
        LinkMeasurement.take(
            LinkShape.of(rate), Duration.ofSeconds(seconds), terminal.err(), interrupted);
    if (json) {
      Json.print(terminal.out(), link.document());
    } else {
      terminal.out().println(link.table());
    }
    return 0;
  }
}
