package dev.gossamer.distributed.launch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The GPUs that ranks of this machine share out.
 *
 * @param names as {@code CUDA_VISIBLE_DEVICES} lists them; empty if there are none
 */
record Cards(List<String> names) {
  static final String VARIABLE = "CUDA_VISIBLE_DEVICES";
  private static final Path DEVICES = Path.of("/dev");

  /** Those that {@code CUDA_VISIBLE_DEVICES} already narrows this process to, or all there are. */
  static Cards ofThisMachine(Map<String, String> environment) {
    return of(environment, DEVICES);
  }

  static Cards of(Map<String, String> environment, Path devices) {
    int count = count(devices);
    if (count == 0) {
      return new Cards(List.of());
    }
    if (!environment.containsKey(VARIABLE)) {
      return new Cards(IntStream.range(0, count).mapToObj(Integer::toString).toList());
    }
    return new Cards(
        Arrays.stream(environment.get(VARIABLE).split(","))
            .map(String::strip)
            .filter(name -> !name.isEmpty())
            .toList());
  }

  private static int count(Path devices) {
    if (!Files.isDirectory(devices)) {
      return 0;
    }
    try (Stream<Path> files = Files.list(devices)) {
      return (int)
          files.filter(file -> file.getFileName().toString().matches("nvidia\\d+")).count();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot list " + devices, e);
    }
  }

  /** One card for each rank, in turn if there are fewer cards than ranks; nothing without cards. */
  Map<String, String> variables(int localRank) {
    return names.isEmpty() ? Map.of() : Map.of(VARIABLE, names.get(localRank % names.size()));
  }
}
