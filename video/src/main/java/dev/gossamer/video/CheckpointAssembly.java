package dev.gossamer.video;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Makes a {@link Checkpoint} of what a person named. A part that is named takes the place of the
 * model's own; what is not named is looked for in the model's folder, where each part has to be
 * there once.
 */
final class CheckpointAssembly {
  private static final String TRANSFORMER = CheckpointSource.TRANSFORMER;
  private static final int DEPTH = 3; // folders below the model's: models/vae/wan/file

  private final CheckpointSource source;
  private final List<VideoFamily> families;
  private final Path place;

  /** A part, and where a person knows it from. */
  private record Found(Path place, VideoFamily family, LooseFiles.Part part) {}

  CheckpointAssembly(CheckpointSource source, List<VideoFamily> families) {
    this.source = source;
    this.families = families;
    this.place = source.place();
  }

  Checkpoint open() {
    if (source.model().isPresent()) {
      Path model = source.model().get();
      if (!Files.exists(model)) {
        throw new BadInputException(
            "Cannot open the model " + model + ": no such folder or file",
            "Name a folder in diffusers' layout, the one that holds model_index.json, or one of"
                + " single safetensors files");
      }
      if (Files.isRegularFile(model.resolve("model_index.json"))) {
        return replaced(Checkpoint.diffusers(model));
      }
    }
    List<Found> found = new ArrayList<>();
    source.parts().forEach((component, file) -> found.addAll(named(component, file)));
    source.model().ifPresent(model -> found.addAll(lookedFor(model)));
    Optional<Found> transformer = only(found, TRANSFORMER);
    if (transformer.isEmpty()) {
      throw noTransformer();
    }
    return loose(transformer.get(), found);
  }

  /** Parts of a folder in diffusers' layout that others take the place of. */
  private Checkpoint replaced(Checkpoint own) {
    Map<String, Checkpoint.Component> elsewhere = new LinkedHashMap<>();
    source
        .parts()
        .forEach(
            (component, file) -> {
              if (!own.has(component)) {
                throw new BadInputException(
                    "Cannot use " + file + ": a " + own.pipeline() + " has no " + component,
                    "Leave " + CheckpointSource.option(component) + " out");
              }
              elsewhere.put(component, standIn(own, component, file));
            });
    return new Checkpoint(own.folder(), own.index(), elsewhere);
  }

  private Checkpoint.Component standIn(Checkpoint own, String component, Path file) {
    if (Files.isDirectory(file) || component.startsWith("tokenizer")) {
      return new Checkpoint.Component(existing(file), Optional.empty(), Optional.empty());
    }
    TensorFiles files = TensorFiles.of(file);
    Optional<ModelConfig> known = // else of the part whose place it takes
        beside(files).or(() -> Optional.of(own.config(component, "config.json")));
    return families.stream()
        .filter(family -> family.runs(own.pipeline()))
        .flatMap(family -> family.looseFiles().stream())
        .flatMap(loose -> loose.recognise(files, known).stream())
        .filter(part -> part.component().equals(component))
        .findFirst()
        .map(part -> component(file, part))
        .orElseGet(
            () -> // names as in the folder: then so are the sizes
            new Checkpoint.Component(
                    file, Optional.of(own.config(component, "config.json")), Optional.of(files)));
  }

  private static Checkpoint.Component component(Path file, LooseFiles.Part part) {
    return new Checkpoint.Component(file, Optional.of(part.config()), Optional.of(part.files()));
  }

  private static Path existing(Path file) {
    if (!Files.exists(file)) {
      throw new BadInputException(
          "Cannot read " + file + ": no such file or folder", "Check its name");
    }
    return file;
  }

  private List<Found> named(String component, Path file) {
    if (component.startsWith("tokenizer")) {
      existing(file);
      return List.of();
    }
    TensorFiles files = Files.isDirectory(file) ? TensorFiles.in(file) : TensorFiles.of(file);
    List<Found> parts =
        recognised(file, files).stream()
            .filter(part -> part.part().component().equals(component))
            .toList();
    if (parts.isEmpty()) {
      throw new BadInputException(
          "Cannot use " + file + " as " + component + ": its tensors are of no model known here",
          "Name another file, or a model folder in diffusers' layout with --model");
    }
    return parts;
  }

  /** The configuration in the folder of some weights. */
  private static Optional<ModelConfig> beside(TensorFiles files) {
    Path origin = files.origin().toAbsolutePath();
    Path config = (Files.isDirectory(origin) ? origin : origin.getParent()).resolve("config.json");
    return Files.isRegularFile(config) ? Optional.of(ModelConfig.read(config)) : Optional.empty();
  }

  private List<Found> recognised(Path file, TensorFiles files) {
    List<Found> found = new ArrayList<>();
    for (VideoFamily family : families) {
      family
          .looseFiles()
          .ifPresent(
              loose ->
                  loose
                      .recognise(files, beside(files))
                      .forEach(part -> found.add(new Found(file, family, part))));
    }
    return found;
  }

  /** The parts in a model's file or folder that are not named one by one. */
  private List<Found> lookedFor(Path model) {
    List<Found> found = new ArrayList<>();
    for (Map.Entry<Path, TensorFiles> candidate : candidates(model).entrySet()) {
      recognised(candidate.getKey(), candidate.getValue()).stream()
          .filter(part -> !source.parts().containsKey(part.part().component()))
          .forEach(found::add);
    }
    return found;
  }

  /** Every set of weights below a folder, by its file, or by its folder where it is in shards. */
  private static Map<Path, TensorFiles> candidates(Path model) {
    Map<Path, TensorFiles> candidates = new LinkedHashMap<>();
    if (Files.isRegularFile(model)) {
      candidates.put(model, TensorFiles.of(model));
      return candidates;
    }
    for (Path folder : below(model, Files::isDirectory)) {
      Optional<TensorFiles> usual = TensorFiles.find(folder);
      usual.ifPresent(files -> candidates.put(folder, files));
      below(folder, 1, Files::isRegularFile).stream()
          .filter(file -> file.getFileName().toString().endsWith(".safetensors"))
          .filter(
              file ->
                  usual.isEmpty()
                      || usual.get().files().stream().noneMatch(part -> part.path().equals(file)))
          .forEach(file -> candidates.put(file, TensorFiles.of(file)));
    }
    return candidates;
  }

  private static List<Path> below(Path folder, java.util.function.Predicate<Path> kind) {
    return below(folder, DEPTH, kind);
  }

  private static List<Path> below(Path folder, int depth, java.util.function.Predicate<Path> kind) {
    try (Stream<Path> paths = Files.walk(folder, depth)) {
      return paths.filter(kind).sorted().toList();
    } catch (IOException | java.io.UncheckedIOException e) {
      throw new BadInputException(
          "Cannot read the folder " + folder + ": " + PartFile.reason(e),
          "Check that it may be read",
          e);
    }
  }

  /**
   * The one part that is a component.
   *
   * @throws BadInputException if there are several
   */
  private Optional<Found> only(List<Found> found, String component) {
    List<Found> those =
        found.stream().filter(part -> part.part().component().equals(component)).toList();
    List<Path> places = those.stream().map(Found::place).distinct().toList();
    if (places.size() > 1) {
      throw new BadInputException(
          "Cannot open the model "
              + place
              + ": "
              + places.size()
              + " files there can be its "
              + component
              + ": "
              + String.join(", ", places.stream().limit(4).map(Path::toString).toList())
              + (places.size() > 4 ? ", .." : ""),
          "Choose one with " + CheckpointSource.option(component) + " FILE");
    }
    return those.stream().findFirst();
  }

  private BadInputException noTransformer() {
    Path model = source.model().orElse(place);
    if (Files.isDirectory(model) && candidates(model).isEmpty() && pickles().isEmpty()) {
      ModelConfig.read(model.resolve("model_index.json")); // which says what is wrong
    }
    return new BadInputException(
        "Cannot open the model "
            + place
            + (Files.isDirectory(model) ? ": it has no model_index.json, and " : ": ")
            + "no transformer of a model known here is in there"
            + pickles(),
        "Name a folder in diffusers' layout, one of single safetensors files, or a transformer's"
            + " file");
  }

  /** Word of files that hold weights in a form that is not read. */
  private String pickles() {
    if (source.model().isEmpty() || !Files.isDirectory(source.model().get())) {
      return "";
    }
    return below(source.model().get(), Files::isRegularFile).stream()
        .map(path -> source.model().get().relativize(path).toString())
        .filter(name -> name.matches(".*\\.(pth|pt|ckpt|bin|gguf)"))
        .findFirst()
        .map(name -> " (" + name + " is no safetensors file and is not read)")
        .orElse("");
  }

  private Checkpoint loose(Found transformer, List<Found> found) {
    VideoFamily family = transformer.family();
    LooseFiles loose = family.looseFiles().orElseThrow();
    String pipeline = transformer.part().pipeline().orElseThrow();
    Map<String, Checkpoint.Component> parts = new HashMap<>();
    ObjectNode index = new ObjectMapper().createObjectNode().put("_class_name", pipeline);
    List<Found> own = found.stream().filter(part -> part.family() == family).toList();
    for (String component : loose.needed(pipeline)) {
      if (component.startsWith("tokenizer")) {
        continue; // it may come with its text encoder
      }
      Found part = only(own, component).orElseThrow(() -> missing(component));
      parts.put(component, component(part.place(), part.part()));
      index.putArray(component).add("").add(part.part().config().className());
    }
    for (String component : loose.needed(pipeline)) {
      if (component.startsWith("tokenizer")) {
        parts.put(component, tokenizer(component, parts, loose.needed(pipeline)));
        index.putArray(component).add("").add("Tokenizer");
      }
    }
    loose
        .settings(transformer.part())
        .forEach(
            (component, settings) -> {
              Checkpoint.Component part =
                  parts.getOrDefault(
                      component,
                      new Checkpoint.Component(place, Optional.empty(), Optional.empty()));
              ModelConfig config =
                  part.config()
                      .map(known -> known.completedBy(settings))
                      .orElseGet(() -> ModelConfig.of(place, settings));
              parts.put(
                  component,
                  new Checkpoint.Component(part.place(), Optional.of(config), part.files()));
              index.putArray(component).add("").add(config.className());
            });
    return new Checkpoint(place, ModelConfig.of(place, index), parts);
  }

  private BadInputException missing(String component) {
    return new BadInputException(
        "Cannot open the model " + place + ": there is no " + component + " for it" + pickles(),
        "Name its file with " + CheckpointSource.option(component));
  }

  /** The tokenizer of a text encoder: the one that is named, is carried by it, or lies below. */
  private Checkpoint.Component tokenizer(
      String component, Map<String, Checkpoint.Component> parts, List<String> needed) {
    if (source.parts().containsKey(component)) {
      return new Checkpoint.Component(
          source.parts().get(component), Optional.empty(), Optional.empty());
    }
    Checkpoint.Component encoder = parts.get(component.replace("tokenizer", "text_encoder"));
    TensorFiles weights = encoder.files().orElseThrow();
    if (Tokenizer.isCarriedBy(weights)) {
      return new Checkpoint.Component(encoder.place(), Optional.empty(), Optional.of(weights));
    }
    List<Path> folders =
        source
            .model()
            .filter(Files::isDirectory)
            .map(model -> below(model, Files::isDirectory))
            .orElse(List.of())
            .stream()
            .filter(Tokenizer::isIn)
            .toList();
    List<Path> named = folders.stream().filter(folder -> folder.endsWith(component)).toList();
    boolean several = needed.stream().filter(name -> name.startsWith("tokenizer")).count() > 1;
    if (named.size() == 1 || several) { // any other might be that of the other text encoder
      folders = named;
    }
    if (folders.size() > 1) {
      throw new BadInputException(
          "Cannot open the model "
              + place
              + ": tokenizers are in "
              + folders.get(0)
              + " and "
              + folders.get(1),
          "Choose one with " + CheckpointSource.option(component) + " DIR");
    }
    return folders.stream()
        .findFirst()
        .map(folder -> new Checkpoint.Component(folder, Optional.empty(), Optional.empty()))
        .orElseThrow(
            () ->
                new BadInputException(
                    "Cannot open the model "
                        + place
                        + ": "
                        + encoder.place()
                        + " carries no tokenizer",
                    "Name the folder or file of one, as tokenizer.json or spiece.model, with "
                        + CheckpointSource.option(component)
                        + ", or call its folder "
                        + component));
  }
}
