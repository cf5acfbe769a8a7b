package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.PrefixStore;
import org.bytedeco.pytorch.StringVector;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;

/**
 * The register of a world, a c10d TCPStore: words under keys, kept by rank 0, read and written by
 * all.
 *
 * <p>Its native calls wait without limit for a keeper that hangs, and log pages to standard error
 * where one is missing. So they run on a thread that can be given up, after a look whether anybody
 * listens, and waiting is asking again.
 */
final class Register implements AutoCloseable {
  private static final Duration PAUSE = Duration.ofMillis(10);
  private static final Duration ANSWER = Duration.ofSeconds(5);
  private static final String LOOPBACK = "127.0.0.1";

  private final Rendezvous rendezvous;
  private final InetSocketAddress keeper;
  private final Carrier carrier;
  private Optional<TCPStore> served = Optional.empty();
  private TCPStore client;
  private volatile boolean lost;

  private Register(Rendezvous rendezvous, InetSocketAddress keeper) {
    this.rendezvous = rendezvous;
    this.keeper = keeper;
    this.carrier = new Carrier("gossamer-register-" + rendezvous.rank());
  }

  /**
   * Opens the register at the rendezvous, or joins it as soon as it is there.
   *
   * @param host of whoever keeps it
   */
  static Register open(Rendezvous rendezvous, InetAddress host, Deadline deadline) {
    Register register =
        new Register(
            rendezvous,
            new InetSocketAddress(
                rendezvous.serves() ? InetAddress.getLoopbackAddress() : host, rendezvous.port()));
    try {
      if (rendezvous.serves()) {
        register.serve();
      } else {
        register.awaitKeeper(deadline);
      }
      register.client = register.connect(deadline);
      return register;
    } catch (RuntimeException e) {
      register.close();
      throw e;
    }
  }

  private void serve() {
    int port = rendezvous.port();
    try (ServerSocket free = new ServerSocket(port)) {
      free.setReuseAddress(true);
    } catch (IOException e) {
      throw new CommunicationException(
          "Rank 0 cannot keep the ranks' register at port " + port + ": " + e.getMessage(),
          "Stop what uses it, or let the ranks meet at another one",
          e);
    }
    try (TCPStoreOptions options = options(true)) {
      served = Optional.of(new TCPStore(LOOPBACK, options));
    } catch (RuntimeException e) {
      throw new CommunicationException(
          "Rank 0 cannot keep the ranks' register at port " + port + ": " + firstLine(e),
          "Let the ranks meet at another one",
          e);
    }
  }

  private void awaitKeeper(Deadline deadline) {
    String reason = "nothing answers there";
    while (true) {
      try {
        knock(deadline.left());
        return;
      } catch (IOException e) {
        if (!(e instanceof SocketTimeoutException)) { // which says less than a refusal before it
          reason = e.getMessage();
        }
        if (deadline.hasPassed()) {
          throw new CommunicationException(
              "Rank "
                  + rendezvous.rank()
                  + " found no rank 0 at "
                  + rendezvous
                  + " within "
                  + deadline
                  + ": "
                  + reason,
              "See whether rank 0 runs, and whether all ranks were told its machine and port",
              e);
        }
        LockSupport.parkNanos(PAUSE.toNanos());
      }
    }
  }

  private void knock(Duration limit) throws IOException {
    try (Socket socket = new Socket()) {
      socket.connect(keeper, (int) Math.max(1, limit.toMillis()));
    }
  }

  private TCPStore connect(Deadline deadline) {
    String host = keeper.getAddress().getHostAddress();
    Callable<TCPStore> connecting =
        () -> {
          try (TCPStoreOptions options = options(false)) {
            return new TCPStore(host, options);
          }
        };
    try {
      return Carrier.await(carrier.begin(connecting), deadline.left());
    } catch (TimeoutException e) {
      throw noRegister("what listens there does not answer within " + deadline, e);
    } catch (CommunicationException e) {
      throw e;
    } catch (RuntimeException e) {
      throw noRegister(firstLine(e), e);
    }
  }

  private CommunicationException noRegister(String found, Exception cause) {
    return new CommunicationException(
        "Rank " + rendezvous.rank() + " found no register at " + rendezvous + ": " + found,
        "See whether rank 0 runs, and what else uses that port",
        cause);
  }

  private TCPStoreOptions options(boolean server) {
    TCPStoreOptions options = new TCPStoreOptions();
    options.port((short) rendezvous.port());
    options.isServer(server);
    options.waitWorkers(false);
    try (Milliseconds timeout = new Milliseconds(rendezvous.timeout().toMillis())) {
      options.timeout(timeout);
    }
    return options;
  }

  /**
   * The part of the register that belongs to a group, with a connection of its own: the bindings
   * abort the process if two groups share one.
   */
  GroupStore storeOf(String group, Deadline deadline) {
    TCPStore connection = connect(deadline);
    return new GroupStore(connection, new PrefixStore(group, connection));
  }

  /** What a group's Gloo reads and writes; kept referenced as long as the group. */
  record GroupStore(TCPStore connection, PrefixStore store) {}

  /** Writes a word; does nothing if the keeper is gone. */
  void post(String key, String word) {
    ask(
        () -> {
          client.set(key, word);
          return true;
        });
  }

  /** How many have called this with this key, this call included; 0 if the keeper is gone. */
  long count(String key) {
    return ask(() -> client.add(key, 1)).orElse(0L);
  }

  /** A word, as soon as somebody has posted it; none if nobody has in time. */
  Optional<String> read(String key, Deadline deadline) {
    while (true) {
      Optional<Boolean> there =
          ask(
              () -> {
                try (StringVector keys = new StringVector(key)) {
                  return client.check(keys);
                }
              });
      if (there.orElse(false)) {
        return ask(() -> client.get_to_str(key));
      }
      if (there.isEmpty() || deadline.hasPassed()) {
        return Optional.empty();
      }
      LockSupport.parkNanos(PAUSE.toNanos());
    }
  }

  /** Whether somebody still keeps it. */
  boolean isKept() {
    if (lost) {
      return false;
    }
    try {
      knock(ANSWER);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private synchronized <T> Optional<T> ask(Callable<T> question) {
    if (lost) {
      return Optional.empty();
    }
    try {
      return Optional.of(Carrier.await(carrier.begin(question), ANSWER));
    } catch (TimeoutException | RuntimeException e) {
      lost = true; // an answer that comes later still would be that to another question
      return Optional.empty();
    }
  }

  static String firstLine(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("").strip();
  }

  @Override
  public void close() {
    carrier.close();
    if (!lost && carrier.ended(ANSWER) && client != null) {
      client.close();
    }
    served.ifPresent(TCPStore::close);
    served = Optional.empty();
  }
}
