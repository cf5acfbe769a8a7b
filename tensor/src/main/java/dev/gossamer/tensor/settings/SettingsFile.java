package dev.gossamer.tensor.settings;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * One JSON object of settings that a person wrote. It remembers which keys were asked for, so that
 * {@link #requireAllKnown} finds the ones that nobody knows.
 */
public final class SettingsFile {
  private static final long MAX_BYTES = 1 << 20;

  private final String name;
  private final ObjectNode root;
  private final Set<String> known = new LinkedHashSet<>();

  private SettingsFile(String name, ObjectNode root) {
    this.name = name;
    this.root = root;
  }

  /**
   * @throws BadInputException if there is no such file, or it is not one JSON object
   */
  public static SettingsFile read(Path path) {
    if (!Files.isRegularFile(path)) {
      throw new BadInputException("Cannot read " + path + ": no such file", "Name a JSON file");
    }
    try {
      if (Files.size(path) > MAX_BYTES) {
        throw new BadInputException(
            "Cannot read " + path + ": " + Files.size(path) + " bytes are no settings",
            "Name a JSON file of settings");
      }
      return of(path.toString(), Files.readAllBytes(path));
    } catch (IOException e) {
      throw new BadInputException("Cannot read " + path, "Is it readable? " + e.getMessage(), e);
    }
  }

  /** One that ships inside, beside a class. */
  public static SettingsFile resource(Class<?> beside, String name) {
    try (InputStream stream = beside.getResourceAsStream(name)) {
      return of(name, stream.readAllBytes());
    } catch (IOException e) {
      throw new IllegalStateException("Cannot read what ships inside: " + name, e);
    }
  }

  /**
   * Settings that are already a tree, for example with some of them replaced.
   *
   * @param name where they come from, for messages
   */
  public static SettingsFile of(String name, ObjectNode root) {
    return new SettingsFile(name, root);
  }

  /** A copy of the whole object. */
  public ObjectNode tree() {
    return root.deepCopy();
  }

  private static SettingsFile of(String name, byte[] bytes) {
    try {
      JsonNode root =
          new ObjectMapper()
              .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
              .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
              .readTree(bytes);
      if (root instanceof ObjectNode object) {
        return new SettingsFile(name, object);
      }
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read "
              + name
              + ": it is not valid JSON: "
              + String.valueOf(e.getMessage()).lines().findFirst().orElse(""),
          "",
          e);
    }
    throw new BadInputException("Cannot read " + name + ": it is not one JSON object", "");
  }

  public String text(String key, String whenMissing) {
    return value(key, () -> whenMissing, "a text", n -> n.isTextual() ? n.asText() : null);
  }

  public int whole(String key) {
    return value(key, required(key), "a whole number", n -> n.isInt() ? n.asInt() : null);
  }

  public int whole(String key, int whenMissing) {
    return value(key, () -> whenMissing, "a whole number", n -> n.isInt() ? n.asInt() : null);
  }

  /** A number of things, which may be more than fit an int. */
  public long count(String key) {
    return value(
        key,
        required(key),
        "a whole number from 0",
        n -> n.isIntegralNumber() && n.canConvertToLong() && n.asLong() >= 0 ? n.asLong() : null);
  }

  public double real(String key) {
    return value(key, required(key), "a number", SettingsFile::finite);
  }

  public double real(String key, double whenMissing) {
    return value(key, () -> whenMissing, "a number", SettingsFile::finite);
  }

  public boolean flag(String key, boolean whenMissing) {
    return value(
        key, () -> whenMissing, "true or false", n -> n.isBoolean() ? n.asBoolean() : null);
  }

  public double[] reals(String key) {
    return value(
        key,
        required(key),
        "a list of numbers",
        node -> {
          double[] list = new double[node.size()];
          for (int i = 0; i < list.length; i++) {
            if (!node.path(i).isNumber()) {
              return null;
            }
            list[i] = node.path(i).asDouble();
          }
          return node.isArray() ? list : null;
        });
  }

  /** A list of whole numbers; empty if it is missing. */
  public List<Integer> wholes(String key) {
    return value(
        key,
        List::of,
        "a list of whole numbers",
        node -> {
          List<Integer> list = new ArrayList<>();
          for (JsonNode one : node) {
            if (!one.isInt()) {
              return null;
            }
            list.add(one.asInt());
          }
          return node.isArray() ? list : null;
        });
  }

  public <E extends Enum<E>> E choice(String key, Class<E> type, E whenMissing) {
    return value(
        key,
        () -> whenMissing,
        "one of " + Words.of(type),
        node -> Words.find(type, node.asText()).orElse(null));
  }

  public boolean has(String key) {
    known.add(key);
    return root.hasNonNull(key);
  }

  /** The object under a key; an empty one if it is missing. */
  public SettingsFile part(String key) {
    ObjectNode part =
        value(
            key,
            () -> new ObjectMapper().createObjectNode(),
            "an object",
            n -> n instanceof ObjectNode object ? object : null);
    return new SettingsFile(name + " (" + key + ")", part);
  }

  /**
   * @throws BadInputException if the file has a key that was never asked for
   */
  public void requireAllKnown() {
    root.fieldNames()
        .forEachRemaining(
            key -> {
              if (!known.contains(key)) {
                throw new BadInputException(
                    "Cannot use " + name + ": unknown key '" + key + "'",
                    "Known are " + String.join(", ", known));
              }
            });
  }

  /** Builds settings from the file; what they refuse becomes a fault of the file. */
  public <T> T build(Supplier<T> settings) {
    try {
      T built = settings.get();
      requireAllKnown();
      return built;
    } catch (BadInputException e) {
      throw e;
    } catch (GossamerException e) {
      throw new BadInputException("Cannot use " + name + ": " + e.getMessage(), "", e);
    }
  }

  private <T> Supplier<T> required(String key) {
    return () -> {
      throw new BadInputException("Cannot use " + name + ": '" + key + "' is missing", "Add it");
    };
  }

  private <T> T value(String key, Supplier<T> whenMissing, String kind, Function<JsonNode, T> as) {
    known.add(key);
    JsonNode node = root.path(key);
    if (node.isMissingNode() || node.isNull()) {
      return whenMissing.get();
    }
    T value = as.apply(node);
    if (value == null) {
      throw new BadInputException(
          String.format(Locale.ROOT, "Cannot use %s: '%s' is %.80s, not %s", name, key, node, kind),
          "Correct it");
    }
    return value;
  }

  private static Double finite(JsonNode node) {
    return node.isNumber() && Double.isFinite(node.asDouble()) ? node.asDouble() : null;
  }
}
