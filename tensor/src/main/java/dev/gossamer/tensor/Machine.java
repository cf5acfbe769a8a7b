package dev.gossamer.tensor;

import dev.gossamer.tensor.libtorch.Libtorch;
import dev.gossamer.tensor.libtorch.TorchFacts;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * The machine that a run stands on, for every report and for {@code gossamer doctor}. Read anew at
 * each call of {@link #here()}; nothing native is loaded for it.
 *
 * @param system operating system and architecture, for example {@code Linux 6.1 amd64}
 * @param java version and vendor of the running Java
 * @param processor its name, {@code unknown} where the system does not say
 * @param cores processors that this process may use
 * @param memoryBytes memory that this process may use in all: the machine's, or its container's
 * @param availableBytes how much of it is free or can be freed at once
 * @param instructions the vector instructions that matter here, as the system names them, for
 *     example {@code avx512_bf16}
 */
public record Machine(
    String system,
    String java,
    String processor,
    int cores,
    long memoryBytes,
    long availableBytes,
    List<String> instructions) {

  /**
   * The libtorch that does the arithmetic.
   *
   * @param version for example {@code 2.10.0}
   * @param simd instruction set of its processor kernels, for example {@code AVX512}
   * @param threads threads inside one operation
   * @param blasThreads threads of OpenBLAS, -1 if another library does the products
   * @param cuda whether it can use a card
   */
  public record Backend(String version, String simd, int threads, int blasThreads, boolean cuda) {}

  private static final Path CPU = Path.of("/proc/cpuinfo");
  private static final List<String> NOTABLE =
      List.of("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16");

  public Machine {
    instructions = List.copyOf(instructions);
  }

  /** This machine, now. */
  public static Machine here() {
    com.sun.management.OperatingSystemMXBean bean =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long memory = bean.getTotalMemorySize(); // the container's, inside one
    List<String> flags =
        cpuLine("flags").or(() -> cpuLine("Features")).stream()
            .flatMap(line -> Arrays.stream(line.split(" ")))
            .toList();
    return new Machine(
        String.join(" ", property("os.name"), property("os.version"), property("os.arch")),
        property("java.version") + " (" + property("java.vendor") + ")",
        cpuLine("model name").orElse("unknown"),
        Runtime.getRuntime().availableProcessors(),
        memory,
        MemoryLimits.ofThisProcess().available().orElse(bean.getFreeMemorySize()),
        NOTABLE.stream().filter(flags::contains).toList());
  }

  /** Whether the processor multiplies bfloat16 numbers itself. */
  public boolean bfloat16() {
    return instructions.stream().anyMatch(name -> name.contains("bf16"));
  }

  /** Whether it has a unit that multiplies tiles of bfloat16 numbers. */
  public boolean bfloat16MatrixUnit() {
    return instructions.contains("amx_bf16");
  }

  /**
   * Loads libtorch, if that has not happened yet, and says what it is.
   *
   * @throws dev.gossamer.tensor.failure.EnvironmentException if it cannot be loaded
   */
  public static Backend backend() {
    TorchFacts facts = Libtorch.facts();
    return new Backend(
        facts.version(), facts.simd(), facts.threads(), facts.blasThreads(), facts.cuda());
  }

  /**
   * Takes libtorch from a folder in place of the one in the jars; to be called before the first
   * tensor.
   *
   * @param folder {@code torch/lib} of an installed PyTorch
   */
  public static void useLibtorch(Path folder) {
    Libtorch.take(folder);
  }

  private static String property(String name) {
    return System.getProperty(name, "unknown");
  }

  private static Optional<String> cpuLine(String key) {
    if (!Files.isReadable(CPU)) {
      return Optional.empty();
    }
    try (Stream<String> lines = Files.lines(CPU)) {
      return lines
          .filter(line -> line.startsWith(key) && line.contains(":"))
          .findFirst()
          .map(line -> line.substring(line.indexOf(':') + 1).trim());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Where Linux says how much memory is left: {@code /proc/meminfo} for the machine, control groups
   * (version 2, else 1) for a container.
   *
   * @param root the root of the file system; another one in tests
   */
  record MemoryLimits(Path root) {
    static MemoryLimits ofThisProcess() {
      return new MemoryLimits(Path.of("/"));
    }

    /** Bytes that can still be had; empty where there is no {@code /proc/meminfo}. */
    OptionalLong available() {
      OptionalLong machine = value("proc/meminfo", "MemAvailable:");
      if (machine.isEmpty()) {
        return machine;
      }
      long bytes = machine.getAsLong() << 10;
      return OptionalLong.of(Math.min(bytes, container().orElse(bytes)));
    }

    /** The least that any control group around this process leaves. */
    private OptionalLong container() {
      return lines("proc/self/cgroup").stream()
          .map(line -> line.split(":", 3)) // number:controllers:path; version 2 names none
          .filter(parts -> parts.length == 3)
          .flatMap(
              parts ->
                  parts[1].isEmpty()
                      ? groups("sys/fs/cgroup", parts[2])
                          .map(at -> left(at, "memory.max", "memory.current", "inactive_file"))
                      : List.of(parts[1].split(",")).contains("memory")
                          ? groups("sys/fs/cgroup/memory", parts[2])
                              .map(
                                  at ->
                                      left(
                                          at,
                                          "memory.limit_in_bytes",
                                          "memory.usage_in_bytes",
                                          "total_inactive_file"))
                          : Stream.empty())
          .filter(OptionalLong::isPresent)
          .mapToLong(OptionalLong::getAsLong)
          .min();
    }

    /**
     * A group and all around it: a limit holds for everything below. A container that sees only its
     * own groups has them at the mount itself.
     */
    private static Stream<Path> groups(String mount, String path) {
      Path top = Path.of(mount);
      Path group = top.resolve(path.substring(path.startsWith("/") ? 1 : 0)).normalize();
      return Stream.iterate(
          group.startsWith(top) ? group : top, at -> at.startsWith(top), Path::getParent);
    }

    /** Limit minus usage, where cached files that nobody uses do not count as used. */
    private OptionalLong left(Path group, String limitFile, String usageFile, String cacheKey) {
      OptionalLong limit = value(group.resolve(limitFile).toString(), "");
      OptionalLong used = value(group.resolve(usageFile).toString(), "");
      if (limit.isEmpty() || used.isEmpty()) {
        return OptionalLong.empty();
      }
      OptionalLong cached = value(group.resolve("memory.stat").toString(), cacheKey);
      return OptionalLong.of(Math.max(0, limit.getAsLong() - used.getAsLong() + cached.orElse(0)));
    }

    /** The number behind a key at the start of a line. */
    private OptionalLong value(String file, String key) {
      return lines(file).stream()
          .filter(line -> line.startsWith(key))
          .map(line -> line.substring(key.length()).trim().split(" ")[0])
          .filter(word -> word.matches("\\d{1,18}"))
          .mapToLong(Long::parseLong)
          .findFirst();
    }

    private List<String> lines(String file) {
      try {
        return Files.readAllLines(root.resolve(file));
      } catch (IOException e) {
        return List.of();
      }
    }
  }
}
