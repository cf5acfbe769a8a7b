package dev.gossamer.distributed.launch;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Finds the processes of one launch, however they got away, by a variable that they inherit. */
final class ProcessTable {
  private static final Path PROC = Path.of("/proc");

  private ProcessTable() {}

  /** A port that marks a launch. */
  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** Living processes whose ranks meet at this port; none where there is no /proc. */
  static List<String> ofLaunch(int port) throws IOException {
    List<String> found = new ArrayList<>();
    if (!Files.isDirectory(PROC)) {
      return found;
    }
    try (Stream<Path> folders = Files.list(PROC)) {
      for (Path folder : folders.toList()) {
        if (read(folder.resolve("environ")).contains("MASTER_PORT=" + port + "\0")) {
          found.add(folder.getFileName() + " " + read(folder.resolve("cmdline")));
        }
      }
    }
    return found;
  }

  private static String read(Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return ""; // gone, or another user's
    }
  }
}
