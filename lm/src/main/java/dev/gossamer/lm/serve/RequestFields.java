package dev.gossamer.lm.serve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The JSON object of a request. A field that is {@code null} is as one that is not there. What was
 * asked for is remembered, so that what nobody asked for can be refused.
 */
final class RequestFields {
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .build();

  /** What changes nothing of the text: whose request it is, and what is to become of it. */
  private static final Set<String> HARMLESS =
      Set.of(
          "user",
          "metadata",
          "store",
          "service_tier",
          "safety_identifier",
          "prompt_cache_key",
          "prompt_cache_retention");

  private final JsonNode root;
  private final Set<String> known = new TreeSet<>(HARMLESS);

  private RequestFields(JsonNode root) {
    this.root = root;
  }

  /**
   * @throws ApiError if it is no JSON object
   */
  static RequestFields read(byte[] body) {
    JsonNode root;
    try {
      root = JSON.readTree(body);
    } catch (JsonProcessingException e) {
      String where =
          Optional.ofNullable(e.getLocation())
              .map(at -> " at line " + at.getLineNr() + ", column " + at.getColumnNr())
              .orElse("");
      throw ApiError.body("The body is not valid JSON" + where + ": " + inPlainWords(e));
    } catch (IOException e) {
      throw ApiError.body("The body is not valid UTF-8");
    }
    if (root == null || !root.isObject()) {
      throw ApiError.body("The body is no JSON object");
    }
    return new RequestFields(root);
  }

  /** Jackson names its own switches and classes; a person wants to know what to mend. */
  private static String inPlainWords(JsonProcessingException e) {
    if (e instanceof JsonEOFException) {
      return "it ends before the object does. Send all of it";
    }
    if (e instanceof MismatchedInputException) {
      return "something follows the object. Send one object";
    }
    if (e instanceof StreamConstraintsException) {
      return "it is nested too deeply, or a name or number in it is too long";
    }
    return e.getOriginalMessage().lines().findFirst().orElse("");
  }

  /** A field's value; missing if it is {@code null}. */
  JsonNode node(String key) {
    known.add(key);
    JsonNode value = root.path(key);
    return value.isNull() ? MissingNode.getInstance() : value;
  }

  boolean has(String key) {
    return !node(key).isMissingNode();
  }

  private static ApiError wrong(String key, JsonNode value, String wanted) {
    String shown = value.toString();
    return ApiError.field(
        key,
        "'"
            + key
            + "' is "
            + (shown.length() > 60 ? shown.substring(0, 60) + "…" : shown)
            + ", not "
            + wanted);
  }

  Optional<String> text(String key) {
    JsonNode value = node(key);
    if (!value.isMissingNode() && !value.isTextual()) {
      throw wrong(key, value, "a string");
    }
    return value.isMissingNode() ? Optional.empty() : Optional.of(value.textValue());
  }

  OptionalInt whole(String key, int least, int most) {
    JsonNode value = node(key);
    if (value.isMissingNode()) {
      return OptionalInt.empty();
    }
    if (!value.isIntegralNumber()
        || !value.canConvertToInt()
        || value.intValue() < least
        || value.intValue() > most) {
      String range = most == Integer.MAX_VALUE ? least + " or more" : least + " to " + most;
      throw wrong(key, value, "a whole number, " + range);
    }
    return OptionalInt.of(value.intValue());
  }

  Optional<Long> seed(String key) {
    JsonNode value = node(key);
    if (value.isMissingNode()) {
      return Optional.empty();
    }
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      throw wrong(key, value, "a whole number of 64 bits");
    }
    return Optional.of(value.longValue());
  }

  double real(String key, double whenMissing) {
    JsonNode value = node(key);
    if (value.isMissingNode()) {
      return whenMissing;
    }
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw wrong(key, value, "a number");
    }
    return value.doubleValue();
  }

  boolean flag(String key) {
    JsonNode value = node(key);
    if (!value.isMissingNode() && !value.isBoolean()) {
      throw wrong(key, value, "true or false");
    }
    return value.asBoolean(false);
  }

  /** A string, or some. */
  List<String> texts(String key, int most) {
    JsonNode value = node(key);
    List<String> texts = new ArrayList<>();
    if (value.isTextual()) {
      texts.add(value.textValue());
    } else if (value.isArray()) {
      for (JsonNode each : value) {
        if (!each.isTextual()) {
          throw wrong(key, each, "a string");
        }
        texts.add(each.textValue());
      }
    } else if (!value.isMissingNode()) {
      throw wrong(key, value, "a string or an array of strings");
    }
    if (texts.size() > most) {
      throw ApiError.field(
          key, "'" + key + "' has " + texts.size() + " strings, more than " + most);
    }
    return texts;
  }

  /** An object from token ids to numbers. */
  Map<Integer, Double> byToken(String key) {
    JsonNode value = node(key);
    Map<Integer, Double> numbers = new TreeMap<>();
    if (!value.isMissingNode() && !value.isObject()) {
      throw wrong(key, value, "an object from token ids to numbers");
    }
    for (Map.Entry<String, JsonNode> each : value.properties()) {
      double number = each.getValue().doubleValue();
      if (!each.getKey().matches("[0-9]{1,9}")
          || !each.getValue().isNumber()
          || !(Math.abs(number) <= 100)) {
        throw ApiError.field(
            key,
            "'"
                + key
                + "' gives "
                + each.getKey()
                + " the value "
                + each.getValue()
                + "; keys are token ids, and values -100 to 100");
      }
      numbers.put(Integer.valueOf(each.getKey()), number);
    }
    return numbers;
  }

  /** Fields of an object; none if it is not there. */
  RequestFields part(String key) {
    JsonNode value = node(key);
    if (!value.isMissingNode() && !value.isObject()) {
      throw wrong(key, value, "an object");
    }
    return new RequestFields(value);
  }

  /**
   * Refuses what a field may be only in its harmless value.
   *
   * @param harmless as JSON
   */
  void only(String key, String... harmless) {
    JsonNode value = node(key);
    if (!value.isMissingNode() && !List.of(harmless).contains(value.toString())) {
      throw ApiError.unsupported(key, "'" + key + "' is not supported. Leave it out");
    }
  }

  /**
   * @throws ApiError if there are fields that nobody asked for
   */
  void requireAllKnown() {
    List<String> unknown = new ArrayList<>();
    for (Map.Entry<String, JsonNode> each : root.properties()) {
      if (!known.contains(each.getKey()) && !each.getValue().isNull()) {
        unknown.add(each.getKey());
      }
    }
    if (!unknown.isEmpty()) {
      throw ApiError.unsupported(
          unknown.get(0),
          "Not supported: '"
              + String.join("', '", unknown)
              + "'. Leave "
              + (unknown.size() == 1 ? "it" : "them")
              + " out");
    }
  }
}
