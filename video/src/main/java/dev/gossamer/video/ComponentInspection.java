package dev.gossamer.video;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One component of a checkpoint, looked at without loading it.
 *
 * @param name of its folder, for example {@code transformer}
 * @param className what it says it is
 * @param place its folder or file
 * @param files safetensors files that hold it
 * @param tensors in these files
 * @param parameters numbers in these files
 * @param bytesByType bytes in these files by element type, as safetensors names it
 * @param problems tensors that are missing, misshapen or unexpected, in words; empty if it is sound
 */
public record ComponentInspection(
    String name,
    String className,
    String place,
    int files,
    int tensors,
    long parameters,
    Map<String, Long> bytesByType,
    List<String> problems) {
  private static final int SHOWN = 5;

  public ComponentInspection {
    bytesByType = Map.copyOf(bytesByType);
    problems = List.copyOf(problems);
  }

  /** Counts what the files hold. */
  public static ComponentInspection of(
      String name, String className, TensorFiles files, List<String> problems) {
    Map<String, Long> bytes = new TreeMap<>();
    long parameters = 0;
    for (SafetensorsFile.Entry entry : files.entries().values()) {
      bytes.merge(entry.dtype().safetensorsName(), entry.bytes(), Long::sum);
      parameters += entry.bytes() / entry.dtype().bytes();
    }
    return new ComponentInspection(
        name,
        className,
        files.origin().toString(),
        files.files().size(),
        files.entries().size(),
        parameters,
        bytes,
        problems);
  }

  /**
   * Holds what a model asks for against what a component's files hold.
   *
   * @param model builds the model over parameters that read nothing
   */
  public static ComponentInspection of(
      Checkpoint checkpoint, String component, Consumer<Parameters> model) {
    TensorFiles files = checkpoint.files(component);
    try (Scope scope = Scope.open();
        Scope weights = Scope.detached()) {
      Parameters parameters = Parameters.inspect(files, weights);
      model.accept(parameters);
      return of(component, checkpoint.componentClass(component), files, parameters.problems());
    }
  }

  /**
   * Refuses a component that cannot be loaded.
   *
   * @throws BadInputException that lists the first problems, if there are any
   */
  public void check() {
    if (!problems.isEmpty()) {
      int shown = Math.min(problems.size(), SHOWN);
      throw new BadInputException(
          "The weights in "
              + place
              + " do not fit the model that its "
              + (Files.isDirectory(Path.of(place))
                  ? "config.json describes: "
                  : "sizes are those of: ")
              + String.join("; ", problems.subList(0, shown))
              + (problems.size() > shown ? "; and " + (problems.size() - shown) + " more" : ""),
          "'gossamer models inspect' lists everything; is a part of another model?");
    }
  }

  /** Bytes of the tensors that {@code names} picks once their floating numbers are of a type. */
  public static long bytesAs(DType dtype, TensorFiles files, Predicate<String> names) {
    return bytesAs(
        dtype,
        files.entries().values().stream().filter(entry -> names.test(entry.name())).toList());
  }

  /**
   * Bytes of the tensors that {@code names} picks once their floating numbers are of a type, where
   * only some blocks are there at once: counted are the largest.
   *
   * @param blocks how the names of a block's tensors begin, its number included
   * @param held blocks that are there
   */
  public static long bytesAs(
      DType dtype, TensorFiles files, Predicate<String> names, Pattern blocks, int held) {
    Map<String, Long> byBlock = new TreeMap<>();
    long rest = 0;
    for (SafetensorsFile.Entry entry : files.entries().values()) {
      if (!names.test(entry.name())) {
        continue;
      }
      long bytes = bytesAs(dtype, List.of(entry));
      Matcher block = blocks.matcher(entry.name());
      if (block.lookingAt()) {
        byBlock.merge(block.group(), bytes, Long::sum);
      } else {
        rest += bytes;
      }
    }
    return rest
        + byBlock.values().stream()
            .sorted(Comparator.reverseOrder())
            .limit(held)
            .mapToLong(Long::longValue)
            .sum();
  }

  /** Bytes of some tensors once their floating numbers are of another type. */
  public static long bytesAs(DType dtype, Iterable<SafetensorsFile.Entry> entries) {
    long bytes = 0;
    for (SafetensorsFile.Entry entry : entries) {
      long count = entry.bytes() / entry.dtype().bytes();
      bytes += entry.dtype().isFloating() ? count * dtype.bytes() : entry.bytes();
    }
    return bytes;
  }
}
