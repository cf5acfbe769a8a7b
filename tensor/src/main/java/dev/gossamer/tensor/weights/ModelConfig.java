package dev.gossamer.tensor.weights;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * A typed view of a checkpoint's JSON file ({@code config.json}, {@code model_index.json}, a
 * scheduler's). Unknown keys are ignored; a missing key takes the default that the caller names; a
 * key of the wrong kind is an error that names file and key.
 */
public final class ModelConfig {
  private static final long MAX_BYTES = 16 << 20;
  private static final int MAX_QUOTED = 120;
  private static final int MOST_LAYERS = 1024;

  private final Path path;
  private final JsonNode root;

  private ModelConfig(Path path, JsonNode root) {
    this.path = path;
    this.root = root;
  }

  /**
   * @throws BadInputException if the file is missing or not a JSON object
   */
  public static ModelConfig read(Path path) {
    if (!Files.isRegularFile(path)) {
      throw new BadInputException(
          "Cannot read " + path + ": no such file", "Is this a folder in diffusers' layout?");
    }
    try {
      if (Files.size(path) > MAX_BYTES) {
        throw new BadInputException(
            "Cannot read " + path + ": " + Files.size(path) + " bytes are no configuration",
            "Download the file again");
      }
      JsonNode root = new ObjectMapper().readTree(path.toFile());
      if (root == null || !root.isObject()) {
        throw new BadInputException(
            "Cannot read " + path + ": it is not a JSON object", "Download the file again");
      }
      return new ModelConfig(path, root);
    } catch (JsonProcessingException e) {
      JsonLocation at = e.getLocation();
      throw new BadInputException(
          "Cannot read "
              + path
              + ": it is not valid JSON"
              + (at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr()),
          "Correct the file or download it again",
          e);
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + path + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
  }

  /**
   * A configuration that no file holds, as one deduced from the shapes of weights.
   *
   * @param path what messages name as its place
   */
  public static ModelConfig of(Path path, ObjectNode root) {
    return new ModelConfig(path, root.deepCopy());
  }

  /** With what another configuration says of keys that this one has not. */
  public ModelConfig completedBy(ObjectNode other) {
    ObjectNode all = other.deepCopy();
    root.properties().forEach(entry -> all.set(entry.getKey(), entry.getValue()));
    return new ModelConfig(path, all);
  }

  public Path path() {
    return path;
  }

  /**
   * The class that this part says it is: {@code _class_name}, else the first of {@code
   * architectures}.
   */
  public String className() {
    JsonNode name = root.path("_class_name");
    return name.isTextual() ? name.asText() : root.path("architectures").path(0).asText("");
  }

  public Set<String> keys() {
    Set<String> keys = new TreeSet<>();
    root.fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  /** Whether a key is there and not null. */
  public boolean has(String key) {
    return root.hasNonNull(key);
  }

  /**
   * The object of a key, for settings that a file keeps together; empty if the key is missing.
   *
   * @throws BadInputException if it is no object
   */
  public ModelConfig section(String key) {
    JsonNode section =
        value(
            key, new ObjectMapper().createObjectNode(), "an object", n -> n.isObject() ? n : null);
    return new ModelConfig(path, section);
  }

  public int whole(String key, int whenMissing) {
    return value(key, whenMissing, "a whole number", n -> n.isInt() ? n.asInt() : null);
  }

  /**
   * A size of a model.
   *
   * @param most what no model exceeds by far: a file that is broken or hostile must not keep its
   *     reader busy
   * @throws BadInputException unless it is from 1 to {@code most}
   */
  public int size(String key, int whenMissing, int most) {
    int size = whole(key, whenMissing);
    require(size >= 1 && size <= most, key, "A size from 1 to " + most + " is expected");
    return size;
  }

  /** A number of layers, from 1 to 1,024; see {@link #size}. */
  public int layers(String key, int whenMissing) {
    return size(key, whenMissing, MOST_LAYERS);
  }

  public double real(String key, double whenMissing) {
    return value(key, whenMissing, "a number", n -> isReal(n) ? n.asDouble() : null);
  }

  public boolean flag(String key, boolean whenMissing) {
    return value(key, whenMissing, "true or false", n -> n.isBoolean() ? n.asBoolean() : null);
  }

  public String text(String key, String whenMissing) {
    return value(key, whenMissing, "a text", n -> n.isTextual() ? n.asText() : null);
  }

  public int[] wholes(String key, int... whenMissing) {
    return value(
        key,
        whenMissing,
        "a list of whole numbers",
        n -> {
          List<Integer> list = new ArrayList<>();
          n.forEach(item -> list.add(item.isInt() ? item.asInt() : null));
          return n.isArray() && !list.contains(null)
              ? list.stream().mapToInt(Integer::intValue).toArray()
              : null;
        });
  }

  public double[] reals(String key, double... whenMissing) {
    return value(
        key,
        whenMissing,
        "a list of numbers",
        n -> {
          List<Double> list = new ArrayList<>();
          n.forEach(item -> list.add(isReal(item) ? item.asDouble() : null));
          return n.isArray() && !list.contains(null)
              ? list.stream().mapToDouble(Double::doubleValue).toArray()
              : null;
        });
  }

  public boolean[] flags(String key, boolean... whenMissing) {
    return value(
        key,
        whenMissing,
        "a list of true and false",
        n -> {
          boolean[] list = new boolean[n.size()];
          for (int i = 0; i < list.length; i++) {
            if (!n.path(i).isBoolean()) {
              return null;
            }
            list[i] = n.get(i).asBoolean();
          }
          return n.isArray() ? list : null;
        });
  }

  public List<String> texts(String key) {
    return value(
        key,
        List.of(),
        "a list of texts",
        n -> {
          List<String> list = new ArrayList<>();
          n.forEach(item -> list.add(item.isNull() ? "" : item.asText()));
          return n.isArray() ? list : null;
        });
  }

  /**
   * Refuses what this build does not know.
   *
   * @throws BadInputException unless {@code holds}
   */
  public void require(boolean holds, String key, String remedy) {
    if (!holds) {
      throw new BadInputException(
          "Cannot use " + path + ": '" + key + "' is " + quoted(root.path(key)), remedy);
    }
  }

  private <T> T value(String key, T whenMissing, String kind, Function<JsonNode, T> as) {
    JsonNode node = root.path(key);
    if (node.isMissingNode() || node.isNull()) {
      return whenMissing;
    }
    T value = as.apply(node);
    if (value == null) {
      throw new BadInputException(
          "Cannot use " + path + ": '" + key + "' is " + quoted(node) + ", not " + kind,
          "Correct the file or download it again");
    }
    return value;
  }

  private static boolean isReal(JsonNode node) {
    return node.isNumber() && Double.isFinite(node.asDouble());
  }

  /** What the file says, short enough for a message. */
  private static String quoted(JsonNode node) {
    String text = node.toString();
    return text.length() <= MAX_QUOTED ? text : text.substring(0, MAX_QUOTED) + "...";
  }

  @Override
  public String toString() {
    return path + " " + Arrays.toString(keys().toArray());
  }
}
