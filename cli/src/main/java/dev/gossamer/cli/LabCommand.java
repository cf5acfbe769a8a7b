package dev.gossamer.cli;

import dev.gossamer.distributed.lab.LabPlan;
import dev.gossamer.distributed.lab.LabReport;
import dev.gossamer.distributed.lab.LabRun;
import dev.gossamer.distributed.lab.Layout;
import dev.gossamer.distributed.lab.LinkShape;
import dev.gossamer.distributed.launch.LaunchPlan;
import dev.gossamer.distributed.launch.Nodes;
import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gossamer lab}: one command as ranks on nodes with slow links, all on this machine. */
@Command(
    name = "lab",
    description = {
      "Run a command across nodes with slow links, all on this machine.",
      "Each node is a network namespace, its link shaped in both directions. Ranks are launched as by"
          + " launch. However the run ends, the lab is taken away. Needs root and iproute2 on Linux."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class LabCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(
      arity = "0..*",
      paramLabel = "COMMAND",
      description =
          "A command of gossamer with its options, as in: lab --nodes 4 -- bench attention; or any"
              + " program.")
  private List<String> command = List.of();

  @Option(
      names = "--nodes",
      paramLabel = "N",
      defaultValue = "4",
      description = "Nodes to stand for (default: ${DEFAULT-VALUE}).")
  private int nodes;

  @Option(
      names = "--per-node",
      paramLabel = "N",
      defaultValue = "2",
      description = "Ranks of each node (default: ${DEFAULT-VALUE}).")
  private int perNode;

  @Option(
      names = "--rate",
      paramLabel = "R",
      defaultValue = "100mbit",
      description =
          "Rate of each link in each direction, as tc writes it (500kbit, 100mbit, 1gbit), or none"
              + " (default: ${DEFAULT-VALUE}).")
  private String rate;

  @Option(
      names = "--layout",
      paramLabel = "L",
      defaultValue = "nodes",
      description =
          "nodes: the ranks of a node share its link; flat: each rank has a link of its own and"
              + " counts as a node (default: ${DEFAULT-VALUE}).")
  private String layout;

  @Option(
      names = "--json",
      description =
          "Print what was built and what went over the links as one JSON document to stdout, all"
              + " that ranks write to stderr.")
  private boolean json;

  @Mixin private EndingArguments ending;
  @Mixin private CommonArguments common;
  @Spec private CommandSpec spec;

  LabCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    LabPlan plan =
        new LabPlan(nodes, perNode, LinkShape.of(rate), Choice.of(Layout.class, "layout", layout));
    List<String> words = RankWords.of(spec.parent(), command, plan.ranks());
    LaunchPlan ranks = ending.of(LaunchPlan.of(words, Nodes.one(plan.ranks())));
    LabRun run = new LabRun(plan, ranks);
    PrintStream out = json ? terminal.err() : terminal.out();
    LabReport report = run.run(out, terminal.err(), terminal.err()::println, interrupted);
    if (json) {
      Json.print(terminal.out(), report.document());
    }
    return 0;
  }
}
