package dev.gossamer.distributed.launch;

import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.tensor.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * How many ranks there are, where, and which of them are ours.
 *
 * @param processes ranks of each machine
 * @param count machines, each with a launcher of its own
 * @param node this machine, 0 .. count - 1; it holds ranks node · processes and up
 * @param masterAddress host name or address of machine 0
 * @param masterPort where the ranks meet; 0: any free port, for one machine only
 */
public record Nodes(int processes, int count, int node, String masterAddress, int masterPort)
    implements Placement {
  private static final int MOST_PROCESSES = 1024;
  private static final Pattern MASTER = Pattern.compile("(.+):([1-9]\\d{0,4})");

  public Nodes {
    if (processes < 1 || processes > MOST_PROCESSES) {
      throw new UsageException(
          "Cannot start " + processes + " processes on this machine",
          "Ask for 1 to " + MOST_PROCESSES);
    }
    if (count < 1 || node < 0 || node >= count) {
      throw new UsageException(
          "There is no node " + node + " among " + count,
          "The first of N nodes is 0, the last N-1");
    }
    if (masterAddress.isBlank() || masterPort < (count == 1 ? 0 : 1) || masterPort > 65535) {
      throw new UsageException(
          "Ranks cannot meet at " + masterAddress + ":" + masterPort,
          "Name the machine of rank 0 and a port from 1 to 65535");
    }
  }

  /** This machine alone, its ranks meeting at any free port. */
  public static Nodes one(int processes) {
    return new Nodes(processes, 1, 0, "127.0.0.1", 0);
  }

  /**
   * One launcher per machine, started by Slurm, Open MPI or Kubernetes: what a rank is for them is
   * a machine for us.
   *
   * @param processes ranks of each machine
   * @param launcher what the launcher's own variables say
   * @throws UsageException if this is already a rank, or one of several launchers of a machine
   */
  public static Nodes of(int processes, RankEnvironment launcher) {
    if (launcher.size() == 1) {
      return one(processes);
    }
    switch (launcher.origin()) {
      case VARIABLES, TORCHRUN ->
          throw new UsageException(
              "This is already rank " + launcher.rank() + " of " + launcher.size(),
              "Run the command without launch, or add --nnodes 1 to start ranks of their own");
      default -> {
        if (launcher.localSize() != 1) {
          throw new UsageException(
              launcher.origin() + " says that " + launcher.localSize() + " launchers run here",
              "Start one per machine (srun --ntasks-per-node=1), or run the command without launch");
        }
        return new Nodes(
            processes,
            launcher.size(),
            launcher.rank(),
            launcher.masterAddress(),
            launcher.masterPort());
      }
    }
  }

  /** The same processes on this machine of several. */
  public Nodes on(int nodes, int thisNode) {
    return new Nodes(processes, nodes, thisNode, masterAddress, masterPort);
  }

  /**
   * The same, meeting elsewhere.
   *
   * @param master a machine and a port, such as {@code node0:29500} or {@code [::1]:29500}
   */
  public Nodes withMaster(String master) {
    Matcher matcher = MASTER.matcher(master);
    if (!matcher.matches()) {
      throw new UsageException(
          "Ranks cannot meet at '" + master + "'",
          "Name a machine and a port from 1 to 65535, as in: --master node0:29500");
    }
    String address = matcher.group(1).replaceAll("^\\[|]$", "");
    return new Nodes(processes, count, node, address, Integer.parseInt(matcher.group(2)));
  }

  /** The same, meeting at this port. */
  Nodes withMasterPort(int port) {
    return new Nodes(processes, count, node, masterAddress, port);
  }

  /** The same with a port at which rank 0 can wait. */
  @Override
  public Nodes settled() {
    return MeetingPort.settle(this);
  }

  @Override
  public int size() {
    return count * processes;
  }

  @Override
  public List<RankPlace> places() {
    return IntStream.range(0, processes)
        .mapToObj(localRank -> new RankPlace(rank(localRank), List.of(), variables(localRank)))
        .toList();
  }

  /** The rank in the whole world of the process {@code localRank} of this machine. */
  int rank(int localRank) {
    return node * processes + localRank;
  }

  /** What torchrun would tell that process. */
  Map<String, String> variables(int localRank) {
    Map<String, String> variables = new LinkedHashMap<>();
    variables.put("RANK", Integer.toString(rank(localRank)));
    variables.put("WORLD_SIZE", Integer.toString(size()));
    variables.put("LOCAL_RANK", Integer.toString(localRank));
    variables.put("LOCAL_WORLD_SIZE", Integer.toString(processes));
    variables.put("GROUP_RANK", Integer.toString(node));
    variables.put("GROUP_WORLD_SIZE", Integer.toString(count));
    variables.put("MASTER_ADDR", masterAddress);
    variables.put("MASTER_PORT", Integer.toString(masterPort));
    variables.put("TORCHELASTIC_USE_AGENT_STORE", "False"); // the store is rank 0's
    return variables;
  }
}
