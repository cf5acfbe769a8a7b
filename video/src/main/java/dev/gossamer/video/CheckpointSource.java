package dev.gossamer.video;

import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What a person names as a model: a folder or a file, and files that take the place of its parts.
 *
 * @param model a folder in diffusers' layout, a folder of single files, or one file that holds a
 *     transformer; empty if all parts are named
 * @param parts by component, as {@code transformer}, {@code text_encoder}, {@code vae} or {@code
 *     tokenizer}: a file or a folder
 */
public record CheckpointSource(Optional<Path> model, Map<String, Path> parts) {
  /**
   * @throws UsageException if nothing is named
   */
  public CheckpointSource {
    parts = Collections.unmodifiableMap(new TreeMap<>(parts));
    if (model.isEmpty() && !parts.containsKey(TRANSFORMER)) {
      throw new UsageException(
          "There is no model: " + options(parts) + " without --model",
          "Name the model's folder with --model, or its transformer with --transformer too");
    }
  }

  /** The part that decides what a model is. */
  static final String TRANSFORMER = "transformer";

  /** A folder or a file alone. */
  public static CheckpointSource of(Path model) {
    return new CheckpointSource(Optional.of(model), Map.of());
  }

  /** With another folder or file as the model. */
  public CheckpointSource withModel(Path other) {
    return new CheckpointSource(Optional.of(other), parts);
  }

  /** Whether both name the same files, from wherever. */
  public boolean isSame(CheckpointSource other) {
    return absolute().equals(other.absolute());
  }

  private CheckpointSource absolute() {
    Map<String, Path> files = new TreeMap<>();
    parts.forEach((component, file) -> files.put(component, file.toAbsolutePath().normalize()));
    return new CheckpointSource(model.map(path -> path.toAbsolutePath().normalize()), files);
  }

  /** What messages name as the model's place. */
  public Path place() {
    return model.orElseGet(() -> parts.get(TRANSFORMER));
  }

  /** The option that names a component, for example {@code --text-encoder}. */
  static String option(String component) {
    return "--" + component.replace('_', '-');
  }

  private static String options(Map<String, Path> parts) {
    return parts.keySet().stream().map(CheckpointSource::option).collect(Collectors.joining(", "));
  }
}
