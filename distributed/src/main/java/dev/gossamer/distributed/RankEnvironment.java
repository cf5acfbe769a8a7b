package dev.gossamer.distributed;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Map;

/**
 * Who a process is among those that compute together, as whatever started it says.
 *
 * <p>The first of these that is there counts, and the others are not looked at; {@code docs/launch}
 * explains each variable:
 *
 * <ol>
 *   <li>{@code RANK}: torchrun, {@code gossamer launch}, Kubeflow, or a person
 *   <li>{@code OMPI_COMM_WORLD_RANK}: Open MPI, before Slurm, whose jobs it may run in
 *   <li>{@code PMI_RANK} with {@code MPI_LOCALRANKID}: MPICH and Intel MPI
 *   <li>{@code SLURM_PROCID}: {@code srun}; the batch script around it is an ordinary process
 *   <li>{@code JOB_COMPLETION_INDEX}: an indexed job of Kubernetes, one rank per pod
 *   <li>none: one rank
 * </ol>
 *
 * <p>Set beside any of them, {@code MASTER_ADDR} and {@code MASTER_PORT} say where rank 0 listens,
 * and a {@code WORLD_SIZE} has to agree.
 *
 * @param rank 0 .. size - 1
 * @param size ranks in all
 * @param localRank 0 .. localSize - 1 among those of the same machine
 * @param localSize ranks of this machine
 * @param node a number that the ranks of one machine share and no other rank has
 * @param masterAddress host name or address of rank 0's machine
 * @param masterPort where the ranks meet; 0, any free one, only for a single rank
 * @param origin what said all this
 */
public record RankEnvironment(
    int rank,
    int size,
    int localRank,
    int localSize,
    int node,
    String masterAddress,
    int masterPort,
    Origin origin) {
  private static final String LOOPBACK = "127.0.0.1";

  /** The port that torchrun, too, takes if nothing says otherwise. */
  public static final int DEFAULT_PORT = 29500;

  /** What told a process its rank. */
  public enum Origin {
    /** {@code RANK} and its companions; rank 0 serves the store at the master's port. */
    VARIABLES("RANK"),
    /** torchrun, whose agent already serves the store at the master's port. */
    TORCHRUN("torchrun's RANK"),
    OPEN_MPI("OMPI_COMM_WORLD_RANK"),
    HYDRA("PMI_RANK"),
    SLURM("SLURM_PROCID"),
    KUBERNETES("JOB_COMPLETION_INDEX"),
    /** Nothing: a process on its own. */
    ALONE("no variable");

    private final String source;

    Origin(String source) {
      this.source = source;
    }

    @Override
    public String toString() {
      return source;
    }
  }

  public RankEnvironment {
    within("rank", rank, size, "ranks", origin);
    within("local rank", localRank, localSize, "ranks of this machine", origin);
    if (localSize > size || localRank > rank || node < 0) {
      throw new UsageException(
          String.format(
              "Cannot be rank %d of %d and, on machine %d, rank %d of %d (from %s)",
              rank, size, node, localRank, localSize, origin),
          "Check what sets the variables of this process");
    }
    if (masterAddress.isBlank() || masterPort < (size == 1 ? 0 : 1) || masterPort > 65535) {
      throw new UsageException(
          "Ranks cannot meet at " + masterAddress + ":" + masterPort,
          "Set MASTER_ADDR to the machine of rank 0 and MASTER_PORT to a port from 1 to 65535");
    }
  }

  private static void within(String what, int index, int count, String things, Origin origin) {
    if (count < 1 || index < 0 || index >= count) {
      throw new UsageException(
          "There is no " + what + " " + index + " among " + count + " " + things,
          origin + " says so: check what sets it; the first rank is 0");
    }
  }

  /** A process on its own. */
  public static RankEnvironment alone() {
    return new RankEnvironment(0, 1, 0, 1, 0, LOOPBACK, 0, Origin.ALONE);
  }

  /**
   * Reads the variables of a process.
   *
   * @param variables such as {@link System#getenv()}, with what options say put over them
   * @throws UsageException if they are half set or contradict each other
   */
  public static RankEnvironment of(Map<String, String> variables) {
    Variables of = new Variables(variables);
    if (of.has("RANK")) {
      return byRank(of);
    }
    if (of.has("OMPI_COMM_WORLD_RANK")) {
      return openMpi(of);
    }
    if (of.has("PMI_RANK") && of.has("MPI_LOCALRANKID")) {
      return hydra(of);
    }
    if (of.has("SLURM_PROCID") && !isBatchScript(of)) {
      return slurm(of);
    }
    if (of.has("JOB_COMPLETION_INDEX")) {
      return kubernetes(of);
    }
    if (of.has("LOCAL_RANK") || of.integer("WORLD_SIZE", 1) > 1) {
      String half = of.has("LOCAL_RANK") ? "LOCAL_RANK" : "WORLD_SIZE";
      throw new UsageException(
          half + " is " + of.text(half) + ", but RANK is not set",
          "Start all ranks by gossamer launch, torchrun or srun, or unset " + half);
    }
    return alone();
  }

  private static RankEnvironment byRank(Variables of) {
    int rank = of.integer("RANK");
    int size = of.integer("WORLD_SIZE");
    boolean local = of.has("LOCAL_RANK") || of.has("LOCAL_WORLD_SIZE");
    int localRank = local ? of.integer("LOCAL_RANK") : 0;
    int localSize = local ? of.integer("LOCAL_WORLD_SIZE") : 1;
    boolean agent = of.text("TORCHELASTIC_USE_AGENT_STORE", "").equalsIgnoreCase("true");
    return new RankEnvironment(
        rank,
        size,
        localRank,
        localSize,
        of.has("GROUP_RANK")
            ? of.integer("GROUP_RANK")
            : nodeOfBlocks(rank, size, localRank, localSize),
        size == 1 ? of.text("MASTER_ADDR", LOOPBACK) : of.text("MASTER_ADDR"),
        size == 1 ? of.integer("MASTER_PORT", 0) : of.integer("MASTER_PORT"),
        agent ? Origin.TORCHRUN : Origin.VARIABLES);
  }

  private static RankEnvironment openMpi(Variables of) {
    return mpi(
        of,
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
        Origin.OPEN_MPI);
  }

  private static RankEnvironment hydra(Variables of) {
    return mpi(of, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", Origin.HYDRA);
  }

  /** mpirun says nothing of the machine's number nor of rank 0's address. */
  private static RankEnvironment mpi(
      Variables of,
      String rankName,
      String sizeName,
      String localRankName,
      String localSizeName,
      Origin origin) {
    int rank = of.integer(rankName);
    int size = of.agreed("WORLD_SIZE", sizeName);
    int localRank = of.integer(localRankName);
    int localSize = of.integer(localSizeName);
    boolean oneMachine = localSize == size;
    // mpirun's name of this job: two of them on one machine must not meet at one port
    String job = of.text(of.first("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PMI_JOBID"), "");
    return new RankEnvironment(
        rank,
        size,
        localRank,
        localSize,
        of.has("GROUP_RANK")
            ? of.integer("GROUP_RANK")
            : nodeOfBlocks(rank, size, localRank, localSize),
        oneMachine ? of.text("MASTER_ADDR", LOOPBACK) : of.text("MASTER_ADDR"),
        of.integer("MASTER_PORT", job.isEmpty() ? DEFAULT_PORT : portOf(job.hashCode())),
        origin);
  }

  /** sbatch sets the variables of rank 0 for its script too; only srun starts ranks. */
  private static boolean isBatchScript(Variables of) {
    return of.text("ENVIRONMENT", "").equals("BATCH")
        && !of.has("SLURM_STEP_ID")
        && !of.has("SLURM_STEPID");
  }

  private static RankEnvironment slurm(Variables of) {
    int rank = of.integer("SLURM_PROCID");
    String sizeName = of.first("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS");
    int size = of.agreed("WORLD_SIZE", sizeName);
    int node = of.integer("SLURM_NODEID");
    String perNode = of.first("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE");
    int[] tasks = SlurmLists.tasksPerNode(perNode, of.text(perNode), size);
    if (node >= tasks.length) {
      throw new UsageException(
          "SLURM_NODEID is " + node + ", but " + perNode + " lists " + tasks.length + " nodes",
          "Start the ranks by srun, and do not set its variables by hand");
    }
    String nodes = of.first("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST");
    String first =
        of.has(nodes)
            ? SlurmLists.firstHost(nodes, of.text(nodes))
            // where srun runs: the machine of rank 0 in a batch job, but not from a login node
            : of.text("SLURM_LAUNCH_NODE_IPADDR", tasks.length == 1 ? LOOPBACK : "");
    int job = of.integer(of.first("SLURM_JOB_ID", "SLURM_JOBID"), 0);
    int step = of.integer(of.first("SLURM_STEP_ID", "SLURM_STEPID"), 0);
    return new RankEnvironment(
        rank,
        size,
        of.integer("SLURM_LOCALID"),
        tasks[node],
        node,
        first.isEmpty() ? of.text("MASTER_ADDR") : of.text("MASTER_ADDR", first),
        of.integer("MASTER_PORT", portOf(job + step)),
        Origin.SLURM);
  }

  private static RankEnvironment kubernetes(Variables of) {
    if (!of.has("WORLD_SIZE")) {
      throw new UsageException(
          "JOB_COMPLETION_INDEX is "
              + of.text("JOB_COMPLETION_INDEX")
              + ", but WORLD_SIZE is not set",
          "Set WORLD_SIZE to the job's completions and MASTER_ADDR to the first pod's name, or"
              + " WORLD_SIZE=1 where each pod works for itself");
    }
    int size = of.integer("WORLD_SIZE");
    if (size == 1) {
      return alone(); // pods that each work for themselves
    }
    int rank = of.integer("JOB_COMPLETION_INDEX");
    return new RankEnvironment(
        rank,
        size,
        0,
        1,
        rank,
        of.text("MASTER_ADDR"),
        of.integer("MASTER_PORT", DEFAULT_PORT),
        Origin.KUBERNETES);
  }

  /**
   * The machine's number where ranks are dealt out in equal blocks, as mpirun does unless told
   * otherwise.
   */
  private static int nodeOfBlocks(int rank, int size, int localRank, int localSize) {
    if (localSize < 1 || size % localSize != 0 || rank % localSize != localRank) {
      throw new UsageException(
          String.format(
              "Rank %d of %d is rank %d of %d on its machine, so machines hold different numbers of"
                  + " ranks or ranks in turn",
              rank, size, localRank, localSize),
          "Give each machine the same number of consecutive ranks, or set GROUP_RANK to the"
              + " machine's number");
    }
    return rank / localSize;
  }

  /** A port below those that systems hand out, the same for all ranks of a job. */
  private static int portOf(int job) {
    return 20000 + Math.floorMod(job, 10000);
  }
}
