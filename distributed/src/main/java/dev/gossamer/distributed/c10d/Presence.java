package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.UUID;

/**
 * Whether a rank's process is there, which its exchanges do not tell: it may compute for long
 * before it comes to the next one. Every rank listens at a port of its own and says who it is to
 * whoever asks; the port of a process that has ended refuses.
 */
final class Presence implements AutoCloseable {
  /** What asking a rank has come to. */
  enum Answer {
    /** Its process is there. */
    PRESENT,
    /** Its process has ended. */
    GONE,
    /** Nothing: it was stopped, its machine is lost, or the way to it. */
    NONE
  }

  private static final Duration LIMIT = Duration.ofSeconds(1);

  private final ServerSocket port;
  private final byte[] name = UUID.randomUUID().toString().getBytes(StandardCharsets.US_ASCII);
  private Word[] ranks = {};

  /** Where a rank listens, and what it answers; whoever has its port after it answers otherwise. */
  private record Word(InetSocketAddress address, byte[] name) {
    static Word parse(String text) {
      String[] parts = text.split(" ", -1);
      return new Word(
          new InetSocketAddress(parts[0], Integer.parseInt(parts[1])),
          parts[2].getBytes(StandardCharsets.US_ASCII));
    }
  }

  private Presence(ServerSocket port) {
    this.port = port;
  }

  /**
   * Listens, and enters this rank in the register.
   *
   * @throws EnvironmentException if there is no port at this address
   */
  static Presence show(Register register, String world, int rank, InetAddress here) {
    Presence presence;
    try {
      presence = new Presence(new ServerSocket(0, 0, here));
    } catch (IOException e) {
      throw new EnvironmentException(
          "Rank " + rank + " cannot listen at " + here.getHostAddress() + ": " + e.getMessage(),
          "Name a network interface by " + Rendezvous.INTERFACE_VARIABLE,
          e);
    }
    Thread thread = new Thread(presence::answer, "gossamer-presence-" + rank);
    thread.setDaemon(true);
    thread.start();
    register.post(
        key(world, rank),
        here.getHostAddress()
            + " "
            + presence.port.getLocalPort()
            + " "
            + new String(presence.name, StandardCharsets.US_ASCII));
    return presence;
  }

  private void answer() {
    while (!port.isClosed()) {
      try (Socket whoever = port.accept()) {
        whoever.getOutputStream().write(name);
      } catch (IOException e) {
        // closed, or who asked is gone: nobody waits for this answer
      }
    }
  }

  /**
   * Reads where the others listen; after they have arrived.
   *
   * @throws CommunicationException if one has not said so in time
   */
  void learn(Register register, String world, int size, Deadline deadline) {
    Word[] all = new Word[size];
    for (int rank = 0; rank < size; rank++) {
      all[rank] =
          register
              .read(key(world, rank), deadline)
              .map(Word::parse)
              .orElseThrow(
                  () ->
                      new CommunicationException(
                          "The register was lost while the ranks met", "See whether rank 0 runs"));
    }
    ranks = all;
  }

  private static String key(String world, int rank) {
    return world + "/present/" + rank;
  }

  /** Asks a rank of the world; takes a second at most. */
  Answer of(int rank) {
    try (Socket socket = new Socket()) {
      socket.connect(ranks[rank].address(), (int) LIMIT.toMillis());
      socket.setSoTimeout((int) LIMIT.toMillis());
      byte[] answer = socket.getInputStream().readNBytes(name.length);
      return Arrays.equals(answer, ranks[rank].name()) ? Answer.PRESENT : Answer.GONE;
    } catch (ConnectException e) {
      return Answer.GONE;
    } catch (IOException e) {
      return Answer.NONE;
    }
  }

  @Override
  public void close() {
    try {
      port.close();
    } catch (IOException e) {
      // nobody is told: it no longer listens either way
    }
  }
}
