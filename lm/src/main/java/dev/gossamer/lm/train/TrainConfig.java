package dev.gossamer.lm.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.data.Corpus;
import dev.gossamer.lm.data.DocumentReader;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.SettingsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a person says of a run: a file or a preset, of which single values may be replaced. {@code
 * data} in it is a folder of tokens; the model's vocabulary may be left to those.
 */
public final class TrainConfig {
  /** Those that ship inside. */
  public static final List<String> PRESETS = List.of("tiny", "small", "speed");

  private static final String VOCABULARY = "vocabulary";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String name;
  private final ObjectNode written;
  private final ObjectNode root;

  /**
   * @param written as the file or preset has it
   * @param root with what replaces some of it
   */
  private TrainConfig(String name, ObjectNode written, ObjectNode root) {
    this.name = name;
    this.written = written;
    this.root = root;
  }

  private static TrainConfig of(String name, SettingsFile file) {
    ObjectNode tree = file.tree();
    return new TrainConfig(name, tree, tree);
  }

  /**
   * @throws BadInputException if there is no such file, or it is not one object of JSON
   */
  public static TrainConfig of(Path file) {
    return of(file.toString(), SettingsFile.read(file));
  }

  /**
   * @throws UsageException if there is none of that name
   */
  public static TrainConfig preset(String name) {
    if (!PRESETS.contains(name)) {
      throw new UsageException(
          "Unknown preset '" + name + "'", "Use " + String.join(", ", PRESETS) + ", or --config");
    }
    return of("preset " + name, SettingsFile.resource(TrainConfig.class, name + ".json"));
  }

  /**
   * Replaces one value.
   *
   * @param path its keys, divided by dots
   * @param value as JSON; what is none is a text; {@code null} takes the value away
   */
  public TrainConfig with(String path, String value) {
    ObjectNode changed = root.deepCopy();
    ObjectNode at = changed;
    String[] keys = path.split("\\.");
    for (int i = 0; i + 1 < keys.length; i++) {
      JsonNode next = at.path(keys[i]);
      at = next instanceof ObjectNode part ? part : at.putObject(keys[i]);
    }
    JsonNode parsed = parsed(value);
    if (parsed.isNull()) {
      at.remove(keys[keys.length - 1]);
    } else {
      at.set(keys[keys.length - 1], parsed);
    }
    return new TrainConfig(name, written, changed);
  }

  private static JsonNode parsed(String value) {
    try {
      JsonNode node = JSON.readTree(value);
      return node == null || node.isMissingNode() ? JSON.getNodeFactory().textNode(value) : node;
    } catch (JsonProcessingException e) {
      return JSON.getNodeFactory().textNode(value);
    }
  }

  /**
   * What it says there; missing if nothing.
   *
   * @param path keys, divided by dots
   */
  public JsonNode at(String path) {
    return root.at("/" + path.replace('.', '/'));
  }

  /** The folder of tokens, if it names one. */
  public Optional<Path> data() {
    JsonNode data = root.path("data");
    return data.isTextual() ? Optional.of(Path.of(data.asText())) : Optional.empty();
  }

  /**
   * The run's settings.
   *
   * @param data folder of tokens, whose vocabulary the model has unless another is named
   * @throws BadInputException if the file, or the folder of tokens, is not as it should be
   * @throws UsageException if it is what replaces the file's values
   */
  public TrainSettings settings(Path data) {
    OptionalInt vocabulary =
        root.path("model") instanceof ObjectNode model && !model.has(VOCABULARY)
            ? OptionalInt.of(TokenFile.open(Corpus.Split.TRAIN.in(data)).index().vocabulary())
            : OptionalInt.empty();
    try {
      return read(root, vocabulary);
    } catch (BadInputException e) {
      if (complaint(written, vocabulary).equals(Optional.of(e.getMessage()))) {
        throw e;
      }
      throw new UsageException(e.found(), e.remedy(), e);
    }
  }

  private TrainSettings read(ObjectNode from, OptionalInt vocabulary) {
    ObjectNode tree = from.deepCopy();
    tree.remove("data");
    if (tree.path("model") instanceof ObjectNode model && !model.has(VOCABULARY)) {
      vocabulary.ifPresent(size -> model.put(VOCABULARY, size));
    }
    return TrainSettings.read(SettingsFile.of(name, tree));
  }

  private Optional<String> complaint(ObjectNode from, OptionalInt vocabulary) {
    try {
      read(from, vocabulary);
      return Optional.empty();
    } catch (GossamerException e) {
      return Optional.of(e.getMessage());
    }
  }

  /**
   * Tokens of the text that ships inside, byte by byte: the beginnings of four books, the last of
   * which is held out.
   *
   * @param folder where they go unless they are there already
   */
  public static void writeExcerpt(Path folder) {
    if (Files.exists(Corpus.Split.TRAIN.in(folder))) {
      return;
    }
    try {
      Files.createDirectories(folder.toAbsolutePath().getParent());
      Path file = Files.createTempFile("gossamer-excerpt", ".txt");
      Path last = Files.createTempFile("gossamer-excerpt", ".txt");
      try {
        String all = Corpus.excerpt();
        int at = all.lastIndexOf("\f\n");
        Files.writeString(file, all.substring(0, at));
        Files.writeString(last, all.substring(at + 2));
        Corpus corpus =
            new Corpus(
                List.of(),
                Map.of(Corpus.Split.TRAIN, List.of(file), Corpus.Split.VALIDATION, List.of(last)),
                new double[] {1, 0, 0},
                new DocumentReader("text"));
        byte[] json = corpus.learnTokenizer(257, () -> false);
        try (TextTokenizer bytes = TextTokenizer.of(folder.resolve("tokenizer.json"), json)) {
          corpus.write(folder, bytes, bytes.end().orElseThrow(), () -> false);
        }
      } finally {
        Files.deleteIfExists(file);
        Files.deleteIfExists(last);
      }
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write into " + folder + ": " + PartFile.reason(e), "Name another folder", e);
    }
  }
}
