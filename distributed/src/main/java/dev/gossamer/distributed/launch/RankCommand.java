package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The words that start one rank's process. */
public final class RankCommand {
  private static final String PROCESSORS = "-XX:ActiveProcessorCount=";

  private RankCommand() {}

  /**
   * A Java program in the Java, with the options and on the class path of this process.
   *
   * @param mainClass its name
   * @param arguments of the program
   * @param processes ranks that share this machine's cores
   */
  public static List<String> java(String mainClass, List<String> arguments, int processes) {
    List<String> words = new ArrayList<>();
    words.add(
        ProcessHandle.current()
            .info()
            .command()
            .orElseGet(() -> Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    List<String> options =
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(option -> !option.startsWith("-agentlib:jdwp")) // its port is taken
            .toList();
    words.addAll(options);
    if (processes > 1 && options.stream().noneMatch(option -> option.startsWith(PROCESSORS))) {
      // Otherwise each would start threads for all cores, and all wait for each other.
      words.add(PROCESSORS + Math.max(1, Runtime.getRuntime().availableProcessors() / processes));
    }
    words.add("-cp");
    words.add(System.getProperty("java.class.path"));
    words.add(mainClass);
    words.addAll(arguments);
    return words;
  }

  /**
   * Any program, found as a shell finds it, so that a wrong name costs one line and not one per
   * rank.
   *
   * @throws UsageException if there is no such program
   */
  public static List<String> program(List<String> words) {
    if (words.isEmpty() || words.get(0).isBlank()) {
      throw new UsageException(
          "There is nothing to launch", "Add the command, as in: gossamer launch --nproc 4 -- ...");
    }
    String name = words.get(0);
    if (name.contains(File.separator)) {
      if (!isProgram(Path.of(name))) {
        throw new UsageException(
            "Cannot launch " + name + ": there is no such program that may be run",
            "Check the path and its permission");
      }
    } else if (find(name).isEmpty()) {
      throw new UsageException(
          "Cannot launch " + name + ": neither a command of gossamer nor a program on the PATH",
          "Check the name, or give the program's path");
    }
    return List.copyOf(words);
  }

  /** The places of a program on the PATH. */
  public static List<Path> find(String name) {
    String path = System.getenv().getOrDefault("PATH", "/usr/bin:/bin");
    return Arrays.stream(path.split(File.pathSeparator))
        .map(folder -> Path.of(folder, name))
        .filter(RankCommand::isProgram)
        .toList();
  }

  private static boolean isProgram(Path file) {
    return Files.isRegularFile(file) && Files.isExecutable(file);
  }

  /** The shell that every POSIX system has. */
  public static String shell() {
    if (!isProgram(Path.of("/bin/sh"))) {
      throw new EnvironmentException(
          "Cannot launch ranks: this system has no /bin/sh", "Launch them on Linux or macOS");
    }
    return "/bin/sh";
  }
}
