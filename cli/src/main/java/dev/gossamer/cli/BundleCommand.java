package dev.gossamer.cli;

import dev.gossamer.cli.bundle.Bundle;
import dev.gossamer.cli.bundle.BundlePart;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer bundle}: Gossamer as a folder for a machine with PyTorch and without Java. */
@Command(
    name = "bundle",
    description = {
      "Make a folder that runs where PyTorch is installed, without Java or a network.",
      "Its script gossamer takes the same commands. libtorch is not inside: the script uses the one"
          + " of python3's PyTorch 2.10 or 2.11, or the folder GOSSAMER_LIBTORCH."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class BundleCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(paramLabel = "DIR", description = "The folder to make; absent or empty.")
  private Path folder;

  @Option(
      names = "--without",
      paramLabel = "PART",
      split = ",",
      description =
          "Leave out, to be smaller: model (the mini models, 27 MB), encoder (ffmpeg, 50 MB),"
              + " captures (of benchmarks on a processor, 10 MB).")
  private List<String> without = List.of();

  @Mixin private CommonArguments common;

  BundleCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    long bytes = new Bundle(folder, parts()).write(interrupted);
    terminal.err().println(bytes / 1_000_000 + " MB");
    terminal.out().println(folder.resolve(Bundle.LAUNCHER));
    return 0;
  }

  private Set<BundlePart> parts() {
    return without.stream()
        .map(name -> Choice.of(BundlePart.class, "part", name))
        .collect(Collectors.toSet());
  }
}
