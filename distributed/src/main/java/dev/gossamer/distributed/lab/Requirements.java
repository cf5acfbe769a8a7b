package dev.gossamer.distributed.lab;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What can be told before anything is built: the system, the rights, the programs. */
final class Requirements {
  private static final Path STATUS = Path.of("/proc/self/status");

  /** The capabilities that a lab uses, by their bit in the kernel's mask. */
  private static final Map<Integer, String> RIGHTS =
      Map.of(12, "CAP_NET_ADMIN", 21, "CAP_SYS_ADMIN");

  private Requirements() {}

  /**
   * @throws EnvironmentException naming the first that is missing, and its remedy
   */
  static void demand() {
    requireLinux();
    requireRoot(status());
    for (String program : List.of("ip", "tc")) {
      Iproute.path(program);
    }
  }

  static void requireLinux() {
    if (!Files.exists(STATUS)) {
      throw new EnvironmentException(
          "A lab needs Linux with /proc, this is " + System.getProperty("os.name"),
          "Run it on Linux; launch and plan work here");
    }
  }

  static String status() {
    try {
      return Files.readString(STATUS);
    } catch (IOException e) {
      throw new EnvironmentException("Cannot read " + STATUS, "Mount /proc", e);
    }
  }

  /**
   * @param status of this process, as {@code /proc/self/status} tells
   */
  static void requireRoot(String status) {
    String user = field(status, "Uid").split("\\s+")[1]; // real, effective, ...
    if (!user.equals("0")) {
      throw new EnvironmentException("A lab needs root, this is user " + user, "Run it by sudo");
    }
    long rights = Long.parseUnsignedLong(field(status, "CapEff"), 16);
    RIGHTS.forEach(
        (bit, name) -> {
          if ((rights >>> bit & 1) == 0) {
            throw new EnvironmentException(
                "A lab needs " + name + ", which root does not have here",
                "In a container: docker run --privileged");
          }
        });
  }

  private static String field(String status, String name) {
    return status
        .lines()
        .filter(line -> line.startsWith(name + ":"))
        .map(line -> line.substring(name.length() + 1).strip())
        .findFirst()
        .orElseThrow(
            () -> new EnvironmentException("No " + name + " in " + STATUS, "Use a Linux kernel"));
  }
}
