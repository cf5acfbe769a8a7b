package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Finds out who failed. An engine tells a rank that a connection broke or was silent, not whose. So
 * after a failure every rank that still can writes its last words into the register; who does not
 * is dead or hangs.
 *
 * @param group whose
 * @param members the ranks of the group, as the world knows them
 * @param rank this one, as the world knows it
 */
record RollCall(Register register, String group, int[] members, int rank, boolean rankZeroServes) {
  /** How long the living have to answer; they learn of a failure as their connections close. */
  private static final Duration GRACE = Duration.ofSeconds(2);

  /** How long rank 0 keeps the register for the living to read; on a busy machine they are slow. */
  private static final Duration READING = Duration.ofSeconds(10);

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
    if (!register.isKept()) {
      return lost(unseen(), what, timeout, cause);
    }
    register.post(words(rank), "");
    Deadline grace = Deadline.in(GRACE);
    List<String> silent = new ArrayList<>();
    List<Integer> living = new ArrayList<>();
    for (int peer : members) {
      Optional<String> words = peer == rank ? Optional.of("") : register.read(words(peer), grace);
      if (words.isEmpty()) {
        silent.add(String.valueOf(peer));
        continue;
      }
      living.add(peer);
      if (!words.get().isEmpty()) {
        dismiss(members);
        return new CommunicationException(
            "Rank " + rank + " was in " + what + " when rank " + peer + " failed: " + words.get(),
            "",
            cause);
      }
    }
    boolean deaf = silent.size() == members.length - 1 && !register.isKept();
    dismiss(living.stream().mapToInt(Integer::intValue).toArray());
    return lost(
        deaf ? unseen() : silent.isEmpty() ? "a rank" : "rank " + String.join(", ", silent),
        what,
        timeout,
        cause);
  }

  /** Who is lost if the register is, too. */
  private String unseen() {
    if (members[0] == 0 && rankZeroServes && rank != 0) {
      return "rank 0";
    }
    return members.length == 2 ? "rank " + (members[0] + members[1] - rank) : "a rank";
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
    String reason = Register.firstLine(cause);
    if (reason.contains("Timed out") || reason.contains("timeout")) {
      return new CommunicationException(
          "Rank " + rank + " waited " + Deadline.text(timeout) + " in " + what + " for " + whom,
          "See what that rank was doing, or allow more time",
          cause);
    }
    boolean gone = reason.contains("closed") || reason.contains("reset");
    return new CommunicationException(
        "Rank " + rank + " lost " + whom + " in " + what + (gone ? "" : ": " + reason),
        "See why that rank ended",
        cause);
  }

  private String words(int member) {
    return group + "/last words/" + member;
  }

  private String read(int member) {
    return group + "/has read/" + member;
  }
}
