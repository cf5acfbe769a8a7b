package dev.gossamer.video;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/** How much memory this process may still take: what the machine has free, or its container. */
public final class FreeMemory {
  private final Path root;

  /**
   * @param root where {@code proc} and {@code sys} are, {@code /} but for tests
   */
  FreeMemory(Path root) {
    this.root = root;
  }

  /** Bytes free for this process now; empty where the platform does not say. */
  public static OptionalLong bytes() {
    OptionalLong linux = new FreeMemory(Path.of("/")).read();
    if (linux.isPresent()) {
      return linux;
    }
    if (ManagementFactory.getOperatingSystemMXBean()
        instanceof com.sun.management.OperatingSystemMXBean system) {
      return OptionalLong.of(system.getFreeMemorySize());
    }
    return OptionalLong.empty();
  }

  /** The least of the machine's available memory and of what each enclosing cgroup leaves. */
  OptionalLong read() {
    OptionalLong machine = field(root.resolve("proc/meminfo"), "MemAvailable:");
    if (machine.isEmpty()) {
      return machine;
    }
    long least = machine.getAsLong() * 1024;
    for (String line : lines(root.resolve("proc/self/cgroup"))) {
      String[] parts = line.split(":", 3);
      if (parts.length == 3 && parts[1].isEmpty()) {
        least = Math.min(least, group("sys/fs/cgroup", parts[2], V2));
      } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
        least = Math.min(least, group("sys/fs/cgroup/memory", parts[2], V1));
      }
    }
    return OptionalLong.of(Math.max(0, least));
  }

  private record Names(String limit, String usage, String reclaimable) {}

  private static final Names V2 = new Names("memory.max", "memory.current", "inactive_file");
  private static final Names V1 =
      new Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");

  /** Limits hold for a group and all around it; a container sees only its own, as the root. */
  private long group(String mount, String path, Names names) {
    long least = Long.MAX_VALUE;
    Path top = root.resolve(mount);
    Path folder = top.resolve(path.substring(path.startsWith("/") ? 1 : 0)).normalize();
    while (folder.startsWith(top)) {
      OptionalLong limit = number(folder.resolve(names.limit()));
      OptionalLong usage = number(folder.resolve(names.usage()));
      if (limit.isPresent() && usage.isPresent()) {
        long cache = field(folder.resolve("memory.stat"), names.reclaimable()).orElse(0);
        least = Math.min(least, limit.getAsLong() - usage.getAsLong() + cache);
      }
      folder = folder.getParent();
    }
    return least;
  }

  /** The only number of a file; empty for {@code max} and for files that are not there. */
  private static OptionalLong number(Path file) {
    List<String> lines = lines(file);
    return lines.isEmpty() ? OptionalLong.empty() : parse(lines.get(0));
  }

  /** The number behind a word at the start of a line. */
  static OptionalLong field(Path file, String name) {
    for (String line : lines(file)) {
      String[] words = line.trim().split("\\s+");
      if (words.length > 1 && words[0].equals(name)) {
        return parse(words[1]);
      }
    }
    return OptionalLong.empty();
  }

  private static OptionalLong parse(String digits) {
    try {
      return OptionalLong.of(Long.parseLong(digits.trim()));
    } catch (NumberFormatException e) {
      return OptionalLong.empty();
    }
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException | SecurityException e) {
      return List.of();
    }
  }
}
