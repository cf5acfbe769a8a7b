package dev.gossamer.cli;

import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer doctor}: what this machine has, what it lacks, and the remedy. */
@Command(
    name = "doctor",
    description = "Check this machine: Java, libtorch, threads, video encoder, GPU.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class DoctorCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  DoctorCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    List<Finding> findings = Checkup.ofThisMachine();
    if (json) {
      Json.print(terminal.out(), Finding.document(findings));
    } else {
      findings.forEach(finding -> terminal.out().println(finding));
    }
    return Finding.exitCode(findings);
  }
}
