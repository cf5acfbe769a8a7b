package dev.gossamer.cli;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.distributed.c10d.Backend;
import dev.gossamer.distributed.c10d.Rendezvous;
import dev.gossamer.distributed.c10d.Worlds;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.failure.UsageException;
import java.time.Duration;
import picocli.CommandLine.Option;

/** The ranks of a command that computes on many: threads of this process, or processes. */
final class RankArguments {
  private static final int UNTIL_GIVEN_UP = 60;
  private static final int MOST_SIMULATED = 1024;

  @Option(
      names = "--simulate",
      paramLabel = "N",
      description = "Run N ranks as threads of this process, without a network.")
  private Integer simulate;

  @Option(
      names = "--per-node",
      paramLabel = "N",
      description =
          "Ranks of a node, to count what travels between nodes (default: as whoever started the"
              + " ranks says; simulated ones are of one node).")
  private Integer perNode;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description =
          "What carries exchanges between processes: gloo, or nccl for tensors on NVIDIA cards,"
              + " by way of which those on the processor go too (default: gloo).")
  private String backend;

  @Option(
      names = "--comm-timeout",
      paramLabel = "S",
      description = "Seconds to wait for another rank before giving up (default: 60).")
  private int timeout = UNTIL_GIVEN_UP;

  /** Whether any of these options is given. */
  boolean given() {
    return simulate != null || perNode != null || backend != null || timeout != UNTIL_GIVEN_UP;
  }

  int perNode() {
    if (perNode != null) {
      return perNode;
    }
    return simulate != null
        ? Math.max(1, simulate)
        : RankEnvironment.of(System.getenv()).localSize();
  }

  /** Where tensors live that the ranks' backend carries best. */
  Device device() {
    return simulate != null ? Device.CPU : backend().device(here());
  }

  /**
   * The card of this one of several ranks.
   *
   * @throws UsageException if they do not meet by way of cards
   */
  Device card() {
    if (simulate != null) {
      throw new UsageException(
          "Simulated ranks, which are threads, on cards", "Use launch, with --backend nccl");
    }
    if (backend() != Backend.NCCL) {
      throw new UsageException(
          "Several ranks on cards that exchange by way of the processor", "Add --backend nccl");
    }
    return device();
  }

  private Backend backend() {
    return backend == null ? Backend.GLOO : Backend.ofOption(backend);
  }

  private Rendezvous here() {
    return Rendezvous.of(System.getenv(), Duration.ofSeconds(timeout));
  }

  /** Whether the first rank is in this process. */
  boolean hasFirst() {
    return simulate != null || here().ranks().rank() == 0;
  }

  /** Does the work as every simulated rank, or as the one that this process is. */
  void run(LocalRanks.Work work) {
    if (timeout < 1) {
      throw new UsageException("A time-out of " + timeout + " s", "Use 1 or more");
    }
    if (simulate != null && (simulate < 1 || simulate > MOST_SIMULATED)) {
      throw new UsageException(simulate + " simulated ranks", "Use 1 to " + MOST_SIMULATED);
    }
    if (simulate != null && backend != null) {
      throw new UsageException(
          "--backend " + backend + " is given for simulated ranks, which are threads", "Drop one");
    }
    if (simulate != null) {
      LocalRanks.run(simulate, Duration.ofSeconds(timeout), work);
      return;
    }
    try (Scope scope = Scope.open();
        Communicator world = Worlds.connect(here(), backend())) {
      work.run(world);
    }
  }
}
