package dev.gossamer.cli;

import dev.gossamer.distributed.lab.Ability;
import dev.gossamer.distributed.lab.LabCheck;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer lab check}: whether this machine can build a lab. */
@Command(
    name = "check",
    description = "Try what a lab uses: rights, programs, parts of the kernel.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class LabCheckCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  LabCheckCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    List<Finding> findings =
        LabCheck.ofThisMachine().stream().map(LabCheckCommand::finding).toList();
    if (json) {
      Json.print(terminal.out(), Finding.document(findings));
    } else {
      findings.forEach(finding -> terminal.out().println(finding));
    }
    return Finding.exitCode(findings);
  }

  private static Finding finding(Ability ability) {
    return switch (ability.state()) {
      case PRESENT -> Finding.good(ability.subject(), ability.found());
      case SPARED -> Finding.note(ability.subject(), ability.found(), ability.remedy());
      case MISSING -> Finding.bad(ability.subject(), ability.found(), ability.remedy());
    };
  }
}
