package dev.gossamer.cli;

import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.distributed.launch.LaunchPlan;
import dev.gossamer.distributed.launch.Launcher;
import dev.gossamer.distributed.launch.Nodes;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gossamer launch}: one command as many ranks. */
@Command(
    name = "launch",
    description = {
      "Run a command as several processes that compute together.",
      "Marks each line by its rank. The first rank that fails ends all; its exit code is this one's."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class LaunchCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(
      arity = "0..*",
      paramLabel = "COMMAND",
      description =
          "A command of gossamer with its options, as in: launch --nproc 4 -- bench attention;"
              + " or any program.")
  private List<String> command = List.of();

  @Option(
      names = "--nproc",
      paramLabel = "N",
      defaultValue = "1",
      description = "Processes on this machine (default: ${DEFAULT-VALUE}).")
  private int processes;

  @Option(
      names = "--nnodes",
      paramLabel = "N",
      description =
          "Machines, each with a launch of its own (default: what Slurm, Open MPI or Kubernetes"
              + " say, else 1).")
  private Integer nodes;

  @Option(
      names = "--node-rank",
      paramLabel = "R",
      description = "Which of the machines this is, from 0; rank 0 is on machine 0.")
  private Integer node;

  @Option(
      names = "--master",
      paramLabel = "ADDR:PORT",
      description = "Where ranks meet: machine 0 and a free port there (default: here, any port).")
  private String master;

  @Mixin private EndingArguments ending;
  @Mixin private CommonArguments common;
  @Spec private CommandSpec spec;

  LaunchCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    LaunchPlan plan =
        ending.of(LaunchPlan.of(RankWords.of(spec.parent(), command, processes), place()));
    new Launcher(plan, terminal.out(), terminal.err(), interrupted).run();
    return 0;
  }

  private Nodes place() {
    if (nodes == null && node != null) {
      throw new UsageException("--node-rank is given without --nnodes", "Add --nnodes");
    }
    if (nodes != null && nodes > 1 && (node == null || master == null)) {
      throw new UsageException(
          "--nnodes " + nodes + " is given without " + (node == null ? "--node-rank" : "--master"),
          "Start launch on each machine with its own --node-rank and the same --master ADDR:PORT");
    }
    Nodes place =
        nodes == null
            ? Nodes.of(processes, RankEnvironment.of(System.getenv()))
            : Nodes.one(processes);
    if (master != null) {
      place = place.withMaster(master);
    }
    return nodes == null ? place : place.on(nodes, node == null ? 0 : node);
  }
}
