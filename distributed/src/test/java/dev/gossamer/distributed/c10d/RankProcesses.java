package dev.gossamer.distributed.c10d;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** Starts {@link GlooRank}s as processes that meet at one port of this machine. */
final class RankProcesses implements AutoCloseable {
  private static final long DEADLINE_SECONDS = 120;

  /**
   * How a rank ended.
   *
   * @param output the lines of its standard output that Gloo has not written
   * @param errors its standard error
   */
  record Ending(int exitCode, String output, String errors) {}

  private record Running(Process process, Path output, Path errors) {}

  private final Path folder;
  private final int port;
  private final Map<String, Running> running = new TreeMap<>();

  RankProcesses(Path folder) throws IOException {
    this(folder, freePort());
  }

  RankProcesses(Path folder, int port) {
    this.folder = folder;
    this.port = port;
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  int port() {
    return port;
  }

  RankProcesses startAll(int size, String play, long timeoutMillis) {
    for (int rank = 0; rank < size; rank++) {
      start(String.valueOf(rank), rank, size, play, timeoutMillis, Map.of());
    }
    return this;
  }

  /**
   * @param name of the process, as most often its rank
   */
  void start(
      String name, int rank, int size, String play, long timeoutMillis, Map<String, String> more) {
    Path output = folder.resolve("out-" + name);
    Path errors = folder.resolve("err-" + name);
    ProcessBuilder builder =
        new ProcessBuilder(
            System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            GlooRank.class.getName(),
            play,
            String.valueOf(timeoutMillis));
    Map<String, String> variables = builder.environment();
    variables.put("OMP_NUM_THREADS", "1");
    variables.put("RANK", String.valueOf(rank));
    variables.put("WORLD_SIZE", String.valueOf(size));
    variables.put("MASTER_ADDR", "127.0.0.1");
    variables.put("MASTER_PORT", String.valueOf(port));
    variables.putAll(more);
    builder.redirectOutput(output.toFile()).redirectError(errors.toFile());
    try {
      running.put(name, new Running(builder.start(), output, errors));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits for the end of a process. */
  Ending ending(String name) {
    Running one = running.get(name);
    try {
      if (!one.process().waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("Rank " + name + " hangs: " + Files.readString(one.output()));
      }
      return new Ending(
          one.process().exitValue(),
          String.join(
              "\n",
              Files.readAllLines(one.output()).stream()
                  .filter(line -> !line.startsWith("[Gloo]"))
                  .toList()),
          Files.readString(one.errors()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Ending ending(int rank) {
    return ending(String.valueOf(rank));
  }

  List<Ending> endings() {
    List<Ending> all = new ArrayList<>();
    running.keySet().forEach(name -> all.add(ending(name)));
    return all;
  }

  /** Ends what still runs. */
  @Override
  public void close() {
    for (Running one : running.values()) {
      one.process().destroyForcibly();
      try {
        one.process().waitFor();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
