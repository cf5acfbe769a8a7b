package dev.gossamer.distributed.launch;

/** Which signal is ending this process. */
final class ReceivedSignal {
  /** The JVM handles a signal on a thread of this name, which waits until the shutdown is over. */
  private static final String HANDLER = "SIGINT handler";

  private ReceivedSignal() {}

  /** Whether it is SIGINT, as Ctrl-C sends it. */
  static boolean isInterrupt() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.getName().equals(HANDLER));
  }
}
