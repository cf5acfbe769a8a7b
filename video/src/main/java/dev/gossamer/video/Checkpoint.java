package dev.gossamer.video;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A model folder in diffusers' layout: {@code model_index.json} names the pipeline's class and, for
 * each component, its class; the component's files lie in the folder of its name.
 *
 * @param folder the model folder
 * @param index its {@code model_index.json}
 */
public record Checkpoint(Path folder, ModelConfig index) {
  /**
   * @throws BadInputException if the folder or its {@code model_index.json} is missing or broken
   */
  public static Checkpoint open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new BadInputException(
          "Cannot open the model " + folder + ": no such folder",
          "Name a folder in diffusers' layout, the one that holds model_index.json");
    }
    Checkpoint checkpoint =
        new Checkpoint(folder, ModelConfig.read(folder.resolve("model_index.json")));
    if (checkpoint.pipeline().isEmpty()) {
      throw new BadInputException(
          "Cannot open the model " + folder + ": its model_index.json has no _class_name",
          "Download the file again");
    }
    return checkpoint;
  }

  /** The pipeline's class, for example {@code WanPipeline}. */
  public String pipeline() {
    return index.className();
  }

  /** Whether a component is there; {@code [null, null]} in the index means it is not. */
  public boolean has(String component) {
    return !componentClass(component).isEmpty();
  }

  /** The class that the index gives a component, empty if it has none. */
  public String componentClass(String component) {
    if (!index.has(component)) {
      return "";
    }
    List<String> pair = index.texts(component);
    return pair.size() == 2 ? pair.get(1) : "";
  }

  /**
   * The folder of a component.
   *
   * @throws BadInputException if the index or the disk lacks it
   */
  public Path component(String name) {
    Path path = folder.resolve(name);
    if (!has(name) || !Files.isDirectory(path)) {
      throw new BadInputException(
          "Cannot open the model " + folder + ": it has no " + name, "Is the download complete?");
    }
    return path;
  }

  /**
   * Refuses a component that the index says is of another class.
   *
   * @throws BadInputException that names both classes
   */
  public void requireClass(String component, String expected) {
    String found = componentClass(component);
    if (!found.isEmpty() && !found.equals(expected)) {
      throw new BadInputException(
          "Cannot open the model "
              + folder
              + ": its model_index.json says that "
              + component
              + " is a "
              + found,
          pipeline() + " has a " + expected + " there; are its parts of one model?");
    }
  }

  /** A component's configuration, for example {@code config.json}. */
  public ModelConfig config(String component, String file) {
    return ModelConfig.read(component(component).resolve(file));
  }

  /** A component's weights. */
  public TensorFiles files(String component) {
    return TensorFiles.in(component(component));
  }

  /**
   * @param of what the transformer calls the number
   * @param by what the other part calls it
   * @throws BadInputException if two parts do not agree on it
   */
  public void agree(String of, int wanted, String by, int found) {
    if (wanted != found) {
      throw new BadInputException(
          "Cannot open the model "
              + folder
              + ": its transformer wants "
              + of
              + " "
              + wanted
              + ", but "
              + by
              + " is "
              + found,
          "Are its parts of one model?");
    }
  }

  /** The weight files of some components, in their order. */
  public List<Path> weightFiles(String... components) {
    List<Path> files = new ArrayList<>();
    for (String name : components) {
      TensorFiles.in(component(name)).files().stream()
          .map(SafetensorsFile::path)
          .forEach(files::add);
    }
    return files;
  }
}
