package dev.gossamer.cli;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer models inspect}: what a checkpoint holds and what is wrong with it. */
@Command(
    name = "inspect",
    description = {
      "List a checkpoint's components, parameters, types and token counts; loads no weights.",
      "Exits with 3 if tensors are missing, misshapen or unexpected."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class InspectCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Parameters(
      arity = "0..1",
      paramLabel = "PATH",
      description =
          "A model folder in diffusers layout, a folder of single files, or a file (default: the"
              + " mini model).")
  private Path model;

  @ArgGroup(validate = false, heading = "%nParts of the model in files of their own%n")
  private PartArguments parts = new PartArguments();

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  InspectCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    Inspection inspection = Inspection.of(parts.source(Optional.ofNullable(model)));
    if (json) {
      Json.print(terminal.out(), inspection.document());
    } else {
      terminal.out().println(inspection.text());
    }
    inspection.requireSound();
    return 0;
  }
}
