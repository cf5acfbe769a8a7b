package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/** Starts the ranks of this machine, stays with them, and leaves none behind. For one launch. */
public final class Launcher {
  private static final Duration GLANCE = Duration.ofMillis(50);
  private static final Duration DRAIN = Duration.ofSeconds(5);

  private final LaunchPlan plan;
  private final Placement placement;
  private final OutputStream out;
  private final OutputStream err;
  private final BooleanSupplier interrupted;
  private final List<RankProcess> ranks = new ArrayList<>();
  private final List<RankProcess> running = new ArrayList<>();
  private final BlockingQueue<RankProcess> ended = new LinkedBlockingQueue<>();

  /**
   * @param out takes what ranks write to stdout, each line marked {@code [rank] }
   * @param err takes what they write to stderr
   * @param interrupted whether the launch should end, as after Ctrl-C
   * @throws EnvironmentException if the port where ranks are to meet is in use
   */
  public Launcher(
      LaunchPlan plan, OutputStream out, OutputStream err, BooleanSupplier interrupted) {
    this.plan = plan;
    this.placement = plan.placement().settled();
    this.out = out;
    this.err = err;
    this.interrupted = interrupted;
  }

  /**
   * Runs all ranks to their end.
   *
   * @throws RankFailedException if one fails; the others are stopped
   * @throws InterruptedRunException if the launch is interrupted; all are stopped
   * @throws GossamerException if they take longer than the plan allows; all are stopped
   */
  public void run() {
    Optional<RankProcess> failed = Optional.empty();
    try {
      try (Warden warden = Warden.start(plan.grace())) {
        startAll(warden);
        failed = awaitFirstFailure(warden);
        if (failed.isEmpty() && interrupted.getAsBoolean()) {
          passOnInterrupt(warden);
        }
      } // whoever is left ends here
      drain();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (interrupted.getAsBoolean() || Thread.currentThread().isInterrupted()) {
      throw new InterruptedRunException("Stopped all ranks, as asked", "");
    }
    if (failed.isPresent()) {
      throw failure(failed.get());
    }
    if (!running.isEmpty()) {
      throw tooLate();
    }
  }

  private void startAll(Warden warden) {
    Cards cards = Cards.ofThisMachine(System.getenv());
    List<RankPlace> places = placement.places();
    Object turn = new Object();
    for (RankPlace place : places) {
      int rank = place.rank();
      RankLog log = plan.isLogged() ? RankLog.in(plan.logs(), rank) : RankLog.none();
      Map<String, String> card = cards.variables(ranks.size());
      Process process = start(warden, place, places.size(), card);
      RankProcess started = new RankProcess(rank, process, out, err, turn, log);
      ranks.add(started);
      running.add(started);
      started.onExit(ended::add);
    }
  }

  private Process start(Warden warden, RankPlace place, int companions, Map<String, String> card) {
    List<String> words = new ArrayList<>(place.entrance());
    words.addAll(plan.command());
    ProcessBuilder builder = new ProcessBuilder(words);
    Map<String, String> variables = builder.environment();
    if (companions > 1) {
      // Read when the libraries load. The ranks are the parallelism: threads of each would fight.
      variables.putIfAbsent("OMP_NUM_THREADS", "1");
      variables.putIfAbsent("OPENBLAS_NUM_THREADS", "1");
    }
    variables.put(LaunchPlan.GRACE_VARIABLE, String.valueOf(plan.grace().toSeconds()));
    variables.putAll(card);
    variables.putAll(place.variables());
    try {
      Process process = warden.start(builder);
      process.getOutputStream().close(); // nobody can type to all ranks at once
      return process;
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot start rank " + place.rank() + ": " + e.getMessage(),
          "Free memory and processes (ulimit -u), or start fewer ranks",
          e);
    }
  }

  /** Returns with a failed rank; or with none, when all are done, time is up, or we are to stop. */
  private Optional<RankProcess> awaitFirstFailure(Warden warden) throws InterruptedException {
    long begin = System.nanoTime();
    while (!running.isEmpty()) {
      RankProcess rank = ended.poll(GLANCE.toMillis(), TimeUnit.MILLISECONDS);
      if (rank != null) {
        running.remove(rank);
        warden.ended(rank.process());
        if (rank.exitCode() != 0) {
          return Optional.of(rank);
        }
      } else if (interrupted.getAsBoolean() || isOver(begin)) {
        break;
      }
    }
    return Optional.empty();
  }

  private boolean isOver(long begin) {
    return plan.isTimed() && System.nanoTime() - begin > plan.timeout().toNanos();
  }

  /** After Ctrl-C ranks get what a terminal would send them, and time to act on it. */
  private void passOnInterrupt(Warden warden) throws InterruptedException {
    if (!ReceivedSignal.isInterrupt()) {
      return; // SIGTERM is what the warden sends anyway
    }
    warden.signal("INT");
    long begin = System.nanoTime();
    long patience = plan.grace().toNanos() / 2;
    while (ranks.stream().anyMatch(RankProcess::isAlive) && System.nanoTime() - begin < patience) {
      ended.poll(GLANCE.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  private GossamerException failure(RankProcess rank) {
    return new RankFailedException(
        rank.rank(),
        rank.exitCode(),
        rank.lastErrorLine(),
        plan.isLogged()
            ? "see " + RankLog.file(plan.logs(), rank.rank())
            : "its lines begin with [" + rank.rank() + "]");
  }

  private GossamerException tooLate() {
    return new GossamerException(
        String.format(
            "Stopped after %d s, with rank%s %s of %d still running",
            plan.timeout().toSeconds(),
            running.size() == 1 ? "" : "s",
            running.stream().map(rank -> "" + rank.rank()).collect(Collectors.joining(", ")),
            placement.size()),
        "Allow more by --timeout, or look for what they wait for");
  }

  private void drain() throws InterruptedException {
    long begin = System.nanoTime();
    for (RankProcess rank : ranks) {
      rank.drain(DRAIN.minusNanos(System.nanoTime() - begin));
    }
  }
}
