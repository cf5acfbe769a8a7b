package dev.gossamer.distributed.local;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Runs ranks as threads of this process. */
public final class LocalRanks {
  /** Waits for a peer for so long, unless told otherwise. */
  public static final Duration PATIENCE = Duration.ofSeconds(60);

  private LocalRanks() {}

  /** The only rank of a world of one. */
  public static Communicator alone() {
    return new Communicator(new AloneTransport());
  }

  /** What a rank does. */
  @FunctionalInterface
  public interface Work {
    void run(Communicator world);
  }

  /**
   * Runs the same work as every rank and returns when all have ended. Each rank computes on one
   * thread, in a scope of its own. When one fails, the exchanges of all others end at once.
   *
   * @throws GossamerException the first rank's failure, naming the rank; wrong settings and files,
   *     what the machine lacks and an interruption name none
   */
  public static void run(int size, Work work) {
    run(size, PATIENCE, work);
  }

  /** Likewise, waiting for a peer only so long. */
  public static void run(int size, Duration patience, Work work) {
    Collapse collapse = new Collapse();
    Meeting meeting = new Meeting(size, patience, collapse);
    List<Thread> threads = new ArrayList<>();
    for (int rank = 0; rank < size; rank++) {
      int self = rank;
      threads.add(
          new Thread(() -> runRank(self, meeting, collapse, work), "gossamer-rank-" + rank));
    }
    threads.forEach(Thread::start);
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      collapse.failed(0, e);
      threads.forEach(Thread::interrupt);
      Thread.currentThread().interrupt();
      throw new CommunicationException("The ranks were interrupted", "", e);
    }
    Collapse.RankFailure failure = collapse.first();
    if (failure != null) {
      if (failure.cause() instanceof UsageException
          || failure.cause() instanceof BadInputException
          || failure.cause() instanceof EnvironmentException
          || failure.cause() instanceof InterruptedRunException) {
        throw (GossamerException) failure.cause(); // concerns every rank alike
      }
      throw new CommunicationException(
          "Rank " + failure.rank() + " of " + size + " failed: " + failure.cause().getMessage(),
          "",
          failure.cause());
    }
  }

  private static void runRank(int rank, Meeting meeting, Collapse collapse, Work work) {
    Libtorch.intraOpThreads(1);
    try (Scope scope = Scope.open();
        Communicator world = new Communicator(LocalTransport.among(rank, meeting))) {
      work.run(world);
    } catch (RuntimeException | Error e) {
      collapse.failed(rank, e);
    }
  }
}
