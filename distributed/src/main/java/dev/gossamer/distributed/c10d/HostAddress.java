package dev.gossamer.distributed.c10d;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** The address at which the other ranks reach this one. Gloo's own guess is often the loopback. */
final class HostAddress {
  private HostAddress() {}

  /**
   * The address of the interface that the user named, else the one from which this machine talks to
   * rank 0's.
   *
   * @param master rank 0's machine
   * @throws EnvironmentException if there is no such interface, or no way to rank 0's machine
   */
  static InetAddress reachableFrom(InetAddress master, Rendezvous rendezvous) {
    try {
      if (!rendezvous.networkInterface().isBlank()) {
        return ofInterface(rendezvous.networkInterface());
      }
      InetAddress here = source(master, rendezvous.port());
      // /etc/hosts often gives a machine's own name the loopback, which other machines cannot reach
      return here.isLoopbackAddress() && !meansLoopback(rendezvous.ranks().masterAddress())
          ? addresses().findFirst().orElse(here)
          : here;
    } catch (IOException e) {
      throw new EnvironmentException(
          "Rank "
              + rendezvous.rank()
              + " finds no network address from which to reach "
              + rendezvous
              + ": "
              + e.getMessage(),
          "Name a network interface by " + Rendezvous.INTERFACE_VARIABLE,
          e);
    }
  }

  /** Nothing is sent: connecting a datagram socket only chooses the way. */
  private static InetAddress source(InetAddress master, int port) throws IOException {
    try (DatagramSocket socket = new DatagramSocket()) {
      socket.connect(master, port);
      return socket.getLocalAddress();
    }
  }

  private static boolean meansLoopback(String master) {
    return master.toLowerCase(Locale.ROOT).startsWith("localhost")
        || master.startsWith("127.")
        || master.equals("::1");
  }

  private static InetAddress ofInterface(String name) throws IOException {
    NetworkInterface named = NetworkInterface.getByName(name);
    return Optional.ofNullable(named)
        .flatMap(found -> found.inetAddresses().min(OLDER_PROTOCOL_FIRST))
        .orElseThrow(
            () ->
                new EnvironmentException(
                    Rendezvous.INTERFACE_VARIABLE
                        + " names "
                        + name
                        + (named == null ? ", which is no interface" : ", which has no address"),
                    "This machine has " + String.join(", ", interfaces())));
  }

  private static final Comparator<InetAddress> OLDER_PROTOCOL_FIRST =
      Comparator.comparing(address -> !(address instanceof Inet4Address));

  private static Stream<InetAddress> addresses() throws IOException {
    return NetworkInterface.networkInterfaces()
        .flatMap(NetworkInterface::inetAddresses)
        .filter(address -> !address.isLoopbackAddress() && !address.isLinkLocalAddress())
        .sorted(OLDER_PROTOCOL_FIRST);
  }

  private static List<String> interfaces() {
    try {
      return Collections.list(NetworkInterface.getNetworkInterfaces()).stream()
          .map(NetworkInterface::getName)
          .toList();
    } catch (IOException e) {
      return List.of("no interface that Java can list");
    }
  }
}
