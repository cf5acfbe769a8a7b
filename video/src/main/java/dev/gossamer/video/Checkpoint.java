package dev.gossamer.video;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * A model as it lies on disk. In diffusers' layout {@code model_index.json} names the pipeline's
 * class and, for each component, its class, and the component's files lie in the folder of its
 * name. Components may also come from single files ({@link LooseFiles}); the families see no
 * difference.
 */
public final class Checkpoint {
  private final Path folder;
  private final ModelConfig index;
  private final Map<String, Component> elsewhere;
  private final List<LoraFile> loras;
  private final Map<String, List<LoraFile>> changed; // by component

  /**
   * A component that does not lie in the folder of its name.
   *
   * @param place the file or folder that a person knows it by
   * @param config its configuration; empty if that lies in {@code place}
   * @param files its weights; empty if they lie in {@code place}, or it has none
   */
  record Component(Path place, Optional<ModelConfig> config, Optional<TensorFiles> files) {}

  Checkpoint(Path folder, ModelConfig index, Map<String, Component> elsewhere) {
    this(folder, index, elsewhere, List.of(), Map.of());
  }

  private Checkpoint(
      Path folder,
      ModelConfig index,
      Map<String, Component> elsewhere,
      List<LoraFile> loras,
      Map<String, List<LoraFile>> changed) {
    this.folder = folder;
    this.index = index;
    this.elsewhere = Map.copyOf(elsewhere);
    this.loras = List.copyOf(loras);
    this.changed = Map.copyOf(changed);
  }

  /**
   * Opens a folder in diffusers' layout, a folder of single files, or one file.
   *
   * @throws BadInputException if the folder or its {@code model_index.json} is missing or broken
   */
  public static Checkpoint open(Path model) {
    return open(CheckpointSource.of(model));
  }

  /**
   * @throws BadInputException if something that is named is missing or broken, or a component is
   *     there twice or not at all
   */
  public static Checkpoint open(CheckpointSource source) {
    return new CheckpointAssembly(source, TextToVideo.families()).open();
  }

  /**
   * Opens a folder in diffusers' layout.
   *
   * @throws BadInputException if the folder or its {@code model_index.json} is missing or broken
   */
  static Checkpoint diffusers(Path folder) {
    Checkpoint checkpoint =
        new Checkpoint(folder, ModelConfig.read(folder.resolve("model_index.json")), Map.of());
    if (checkpoint.pipeline().isEmpty()) {
      throw new BadInputException(
          "Cannot open the model " + folder + ": its model_index.json has no _class_name",
          "Download the file again");
    }
    return checkpoint;
  }

  /**
   * The same with changes to the weights of its transformer and text encoders, made when they are
   * loaded.
   *
   * @param family that runs it
   * @throws BadInputException if a file is damaged or does not fit
   */
  Checkpoint with(List<LoraFile> changes, VideoFamily family) {
    if (changes.isEmpty()) {
      return this;
    }
    Map<String, TensorFiles> files = new TreeMap<>();
    LoraMerge.COMPONENTS.stream().filter(this::has).forEach(name -> files.put(name, files(name)));
    TensorFiles transformer = files(CheckpointSource.TRANSFORMER);
    Map<String, StoredAs> original =
        family.looseFiles().map(loose -> loose.originalNames(transformer)).orElse(Map.of());
    Map<String, List<LoraFile>> byComponent = new HashMap<>();
    for (LoraFile change : changes) {
      Map<String, TensorFiles> those = LoraMerge.into(files, original, change);
      files.putAll(those);
      those
          .keySet()
          .forEach(name -> byComponent.computeIfAbsent(name, n -> new ArrayList<>()).add(change));
    }
    Map<String, Component> parts = new HashMap<>(elsewhere);
    for (String name : byComponent.keySet()) {
      Optional<ModelConfig> config =
          Optional.ofNullable(elsewhere.get(name)).flatMap(Component::config);
      parts.put(name, new Component(component(name), config, Optional.of(files.get(name))));
    }
    return new Checkpoint(folder, index, parts, changes, byComponent);
  }

  /** What a person named: the folder, or the file of the transformer. */
  public Path folder() {
    return folder;
  }

  /** {@code model_index.json}, or what stands for it. */
  public ModelConfig index() {
    return index;
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
   * Where a component lies: its folder, or its file.
   *
   * @throws BadInputException if the index or the disk lacks it
   */
  public Path component(String name) {
    if (elsewhere.containsKey(name)) {
      return elsewhere.get(name).place();
    }
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
    Optional<ModelConfig> deduced =
        Optional.ofNullable(elsewhere.get(component)).flatMap(Component::config);
    return deduced.orElseGet(() -> ModelConfig.read(component(component).resolve(file)));
  }

  /** A component's weights, under diffusers' names. */
  public TensorFiles files(String component) {
    Optional<TensorFiles> seen =
        Optional.ofNullable(elsewhere.get(component)).flatMap(Component::files);
    return seen.orElseGet(() -> TensorFiles.in(component(component)));
  }

  /**
   * Opens a tokenizer: a folder, a file, or one that a text encoder's file carries with it.
   *
   * @throws BadInputException if it is missing or damaged
   */
  public Tokenizer tokenizer(String component) {
    Optional<TensorFiles> carried =
        Optional.ofNullable(elsewhere.get(component)).flatMap(Component::files);
    return carried.map(Tokenizer::carriedBy).orElseGet(() -> Tokenizer.open(component(component)));
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

  /**
   * What tells some components from all others: digests of their configurations and tokenizers, of
   * samples of their weights, and of the changes to these.
   */
  public String identity(String... components) {
    Sha256 sha = new Sha256();
    for (String name : components) {
      Path at = component(name);
      Set<Path> files = new TreeSet<>();
      if (Files.isDirectory(at)) {
        try (Stream<Path> inside = Files.list(at)) {
          inside.filter(Files::isRegularFile).forEach(files::add);
        } catch (IOException e) {
          throw new BadInputException(
              "Cannot read " + at + ": " + PartFile.reason(e), "Check that it may be read", e);
        }
      } else {
        files.add(at);
        files.add(at.resolveSibling("config.json"));
      }
      files.stream()
          .filter(Files::isRegularFile)
          .forEach(
              file -> sha.add(name + " " + file.getFileName() + " " + Sha256.sampled(file) + "\n"));
      for (LoraFile lora : changed.getOrDefault(name, List.of())) {
        sha.add(name + " + " + lora.scale() + " " + Sha256.sampled(lora.file()) + "\n");
      }
    }
    return sha.hex();
  }

  /** The weight files of some components, in their order. */
  public List<Path> weightFiles(String... components) {
    Set<Path> files = new LinkedHashSet<>();
    for (String name : components) {
      files(name).files().stream().map(SafetensorsFile::path).forEach(files::add);
    }
    loras.forEach(lora -> files.add(lora.file()));
    return new ArrayList<>(files);
  }
}
