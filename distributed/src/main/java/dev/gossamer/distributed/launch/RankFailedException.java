package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.GossamerException;
import java.util.Map;

/** A rank failed, and the others were stopped. The exit code is that rank's. */
public final class RankFailedException extends GossamerException {
  private static final long serialVersionUID = 1L;

  /** Signals by number, those that end processes and have the same number everywhere. */
  private static final Map<Integer, String> SIGNALS =
      Map.of(
          1, "SIGHUP", 2, "SIGINT", 3, "SIGQUIT", 4, "SIGILL", 6, "SIGABRT", 8, "SIGFPE", 9,
          "SIGKILL", 11, "SIGSEGV", 13, "SIGPIPE", 15, "SIGTERM");

  private static final int SIGKILL = 128 + 9;

  private final int rank;
  private final int exitCode;

  RankFailedException(int rank, int exitCode, String lastErrorLine, String whereItsLinesAre) {
    super(
        "Rank "
            + rank
            + " failed first, "
            + how(exitCode)
            + (lastErrorLine.isEmpty() ? ", and wrote no error" : ": " + lastErrorLine),
        (exitCode == SIGKILL
                ? "Something outside killed it, often the kernel for lack of memory (dmesg). "
                : "")
            + "The other ranks were stopped; "
            + whereItsLinesAre);
    this.rank = rank;
    this.exitCode = exitCode;
  }

  private static String how(int exitCode) {
    String signal = SIGNALS.get(exitCode - 128);
    return signal == null ? "exit code " + exitCode : "ended by " + signal;
  }

  /** The rank that failed first. */
  public int rank() {
    return rank;
  }

  @Override
  public int exitCode() {
    return exitCode;
  }
}
