package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.c10d.Presence.Answer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds out who failed. An engine tells a rank that a connection broke or was silent, not whose. So
 * after a failure every rank that still can writes its last words into the register. Who does not
 * is to blame if its process has ended, or else does not answer, or else if it was waited for until
 * the time was over; it is not if it merely computes and has not noticed yet.
 *
 * @param group whose
 * @param members the ranks of the group, as the world knows them
 * @param rank this one, as the world knows it
 */
record RollCall(
    Register register,
    Presence presence,
    String group,
    int[] members,
    int rank,
    boolean rankZeroServes) {
  /** How long the living have to answer; they learn of a failure as their connections close. */
  private static final Duration GRACE = Duration.ofSeconds(5);

  /** How long rank 0 keeps the register for the living to read; on a busy machine they are slow. */
  private static final Duration READING = Duration.ofSeconds(10);

  private static final Duration PAUSE = Duration.ofMillis(50);

  /** Leaves the reason why this rank gives the group up, for the others to read. */
  void leave(CommunicationException reason, Runnable closing) {
    register.post(words(rank), reason.getMessage());
    closing.run();
    dismiss(members);
  }

  /** Whether another rank has given the group up. */
  boolean hasLastWords() {
    Deadline now = Deadline.in(Duration.ZERO);
    return Arrays.stream(members)
        .anyMatch(peer -> peer != rank && register.read(words(peer), now).isPresent());
  }

  /**
   * Explains what an engine threw.
   *
   * @param what was being exchanged
   * @param timeout that this rank granted the others
   */
  CommunicationException explain(String what, Duration timeout, RuntimeException cause) {
    register.post(words(rank), "");
    Map<Integer, Answer> silent = new TreeMap<>();
    Arrays.stream(members).filter(peer -> peer != rank).forEach(p -> silent.put(p, Answer.NONE));
    Deadline grace = Deadline.in(GRACE);
    Deadline now = Deadline.in(Duration.ZERO);
    do {
      for (int peer : List.copyOf(silent.keySet())) {
        Answer answer = presence.of(peer); // before its words, after which it may go
        Optional<String> words = register.read(words(peer), now);
        if (words.isEmpty()) {
          silent.put(peer, answer);
          continue;
        }
        silent.remove(peer);
        if (!words.get().isEmpty()) {
          dismiss(members);
          return new CommunicationException(
              "Rank " + rank + " was in " + what + " when rank " + peer + " failed: " + words.get(),
              "",
              cause);
        }
      }
      LockSupport.parkNanos(PAUSE.toNanos());
    } while (!silent.isEmpty()
        && !silent.containsValue(Answer.GONE)
        && !grace.hasPassed()
        && register.isKept());
    boolean timedOut = timedOut(cause) && register.isKept();
    dismiss(
        Arrays.stream(members)
            .filter(p -> !silent.containsKey(p) || silent.get(p) == Answer.PRESENT && !timedOut)
            .toArray());
    return lost(
        Stream.of(Answer.GONE, Answer.NONE, Answer.PRESENT)
            .filter(answer -> answer != Answer.PRESENT || timedOut)
            .map(answer -> named(silent, answer))
            .filter(ranks -> !ranks.isEmpty())
            .findFirst()
            .orElse("a rank"),
        what,
        timeout,
        cause);
  }

  private static String named(Map<Integer, Answer> silent, Answer answer) {
    String ranks =
        silent.keySet().stream()
            .filter(peer -> silent.get(peer) == answer)
            .map(String::valueOf)
            .collect(Collectors.joining(", "));
    return ranks.isEmpty() ? "" : "rank " + ranks;
  }

  /** Rank 0 keeps the register until these have read it. */
  private void dismiss(int[] readers) {
    register.post(read(rank), "");
    if (rank == 0 && rankZeroServes) {
      Deadline deadline = Deadline.in(READING);
      for (int peer : readers) {
        register.read(read(peer), deadline);
      }
    }
  }

  private CommunicationException lost(
      String whom, String what, Duration timeout, RuntimeException cause) {
    if (timedOut(cause)) {
      return new CommunicationException(
          "Rank " + rank + " waited " + Deadline.text(timeout) + " in " + what + " for " + whom,
          "See what that rank was doing, or allow more time",
          cause);
    }
    String reason = Register.firstLine(cause);
    boolean gone = reason.contains("closed") || reason.contains("reset");
    return new CommunicationException(
        "Rank " + rank + " lost " + whom + " in " + what + (gone ? "" : ": " + reason),
        "See why that rank ended",
        cause);
  }

  private static boolean timedOut(RuntimeException cause) {
    String reason = Register.firstLine(cause);
    return reason.contains("Timed out") || reason.contains("timeout");
  }

  private String words(int member) {
    return group + "/last words/" + member;
  }

  private String read(int member) {
    return group + "/has read/" + member;
  }
}
