package dev.gossamer.video.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * What this side has to know of a {@code tokenizer.json}: the id that fills rows, and that the file
 * does not hold what makes the native library end the whole process (it panics on a damaged
 * character map and on a template that names an undefined token, and an exception cannot cross from
 * there).
 */
final class TokenizerFile {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final Path file;
  private final Map<String, JsonNode> parts = new HashMap<>();

  private TokenizerFile(Path file) {
    this.file = file;
  }

  /**
   * Reads all but the model, whose vocabulary may have a quarter of a million pieces.
   *
   * @throws BadInputException if it is no JSON object, or would crash the native library
   */
  static TokenizerFile read(Path file) {
    TokenizerFile read = new TokenizerFile(file);
    try (JsonParser parser = new JsonFactory(MAPPER).createParser(file.toFile())) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw read.damaged("it is not a JSON object");
      }
      for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
        parser.nextToken();
        if (key.equals("model")) {
          parser.skipChildren();
        } else {
          read.parts.put(key, parser.readValueAsTree());
        }
      }
    } catch (IOException e) {
      throw read.damaged("it is not valid JSON");
    }
    return read.checked();
  }

  /** The same of a tokenizer that was made of another kind of file. */
  static TokenizerFile of(Path file, JsonNode json) {
    TokenizerFile made = new TokenizerFile(file);
    json.fieldNames().forEachRemaining(name -> made.parts.put(name, json.get(name)));
    return made.checked();
  }

  private TokenizerFile checked() {
    checkCharacterMaps();
    checkTemplates();
    return this;
  }

  private BadInputException damaged(String what) {
    return new BadInputException("Cannot read " + file + ": " + what, "Download the file again");
  }

  private JsonNode part(String key) {
    return parts.getOrDefault(key, MAPPER.nullNode());
  }

  private void checkCharacterMaps() {
    for (JsonNode step : part("normalizer").findParents("type")) {
      if (step.path("type").asText().equals("Precompiled")
          && !CharacterMap.isSound(step.path("precompiled_charsmap"))) {
        throw damaged("its precompiled_charsmap is damaged");
      }
    }
  }

  /** Each special token that a template places must be among those that it defines. */
  private void checkTemplates() {
    for (JsonNode template : part("post_processor").findParents("special_tokens")) {
      JsonNode defined = template.path("special_tokens");
      for (String form : new String[] {"single", "pair"}) {
        for (JsonNode placed : template.path(form).findValues("SpecialToken")) {
          if (!defined.has(placed.path("id").asText())) {
            throw damaged(
                "its post_processor places " + placed.path("id") + " without defining it");
          }
        }
        if (template.path(form).isTextual()) {
          throw damaged("its post_processor has a template in text form, which is not supported");
        }
      }
    }
  }

  /**
   * The id that fills rows: {@code padding} of the file if it has one, else the added token that
   * {@code tokenizer_config.json} or {@code special_tokens_map.json} beside it name as {@code
   * pad_token}, else the one that is written {@code <pad>}.
   *
   * @throws BadInputException if there is no such token
   */
  long padId() {
    JsonNode given = part("padding").path("pad_id");
    if (given.isIntegralNumber()) {
      return given.asLong();
    }
    String token = padToken();
    for (JsonNode added : part("added_tokens")) {
      if (added.path("content").asText().equals(token) && added.path("id").isIntegralNumber()) {
        return added.path("id").asLong();
      }
    }
    throw new BadInputException(
        "Cannot use " + file + ": it has no added token '" + token + "' to pad with",
        "Name one of its added tokens as pad_token in tokenizer_config.json");
  }

  private String padToken() {
    for (String name : new String[] {"tokenizer_config.json", "special_tokens_map.json"}) {
      Path neighbour = file.resolveSibling(name);
      if (Files.isRegularFile(neighbour)) {
        JsonNode token;
        try {
          token = MAPPER.readTree(neighbour.toFile()).path("pad_token");
        } catch (IOException e) {
          throw new BadInputException(
              "Cannot read " + neighbour + ": it is not valid JSON", "Download the file again", e);
        }
        String content = token.isTextual() ? token.asText() : token.path("content").asText();
        if (!content.isEmpty()) {
          return content;
        }
      }
    }
    return "<pad>";
  }
}
