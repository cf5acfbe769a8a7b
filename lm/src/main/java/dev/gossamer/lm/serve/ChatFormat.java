package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A conversation as plain text, for models that were not taught another form: system texts, each
 * followed by an empty line; a line {@code User: …} or {@code Assistant: …} for each message; and
 * {@code Assistant:}, behind which the model goes on until it would begin a line of the user.
 */
public final class ChatFormat {
  /** Where an answer ends. */
  static final String STOP = "\nUser:";

  private static final String TEMPLATE = "chat_template";
  private static final String USER = "User:";
  private static final String ASSISTANT = "Assistant:";
  private static final Set<String> PARTS = Set.of("role", "content");

  private ChatFormat() {}

  /** Whether a model's folder names a form of its own, which is not read. */
  public static boolean isOverruledIn(Path folder) {
    if (Files.exists(folder.resolve(TEMPLATE + ".jinja"))
        || Files.exists(folder.resolve(TEMPLATE + ".json"))) {
      return true;
    }
    try {
      File config = folder.resolve("tokenizer_config.json").toFile();
      return config.isFile() && new ObjectMapper().readTree(config).hasNonNull(TEMPLATE);
    } catch (IOException e) {
      return false; // the tokenizer was opened before, and looked for what it needs
    }
  }

  /**
   * @param messages the array of the request
   * @throws ApiError if a message has what this form cannot say
   */
  static String prompt(JsonNode messages) {
    if (!messages.isArray() || messages.isEmpty()) {
      throw ApiError.field("messages", "'messages' is no array with at least one message");
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < messages.size(); i++) {
      String name = "messages[" + i + "]";
      JsonNode message = messages.get(i);
      requireKnown(name, message);
      String content = content(name + ".content", message.path("content"));
      switch (message.path("role").asText()) {
        case "system", "developer" -> text.append(content).append("\n\n");
        case "user" -> text.append(USER).append(' ').append(content).append('\n');
        case "assistant" -> text.append(ASSISTANT).append(' ').append(content).append('\n');
        default ->
            throw ApiError.field(
                name + ".role",
                "'"
                    + name
                    + ".role' is "
                    + message.path("role")
                    + ", not system, developer, user or assistant");
      }
    }
    return text.append(ASSISTANT).toString();
  }

  private static void requireKnown(String name, JsonNode message) {
    if (!message.isObject()) {
      throw ApiError.field(name, "'" + name + "' is no object");
    }
    List<String> unknown = new ArrayList<>();
    message
        .properties()
        .forEach(
            each -> {
              boolean empty =
                  each.getValue().isNull()
                      || each.getValue().isEmpty() && each.getValue().isContainerNode();
              if (!PARTS.contains(each.getKey()) && !empty) {
                unknown.add(name + "." + each.getKey());
              }
            });
    if (!unknown.isEmpty()) {
      throw ApiError.unsupported(
          unknown.get(0), "Not supported: '" + String.join("', '", unknown) + "'");
    }
  }

  private static String content(String name, JsonNode content) {
    if (content.isTextual()) {
      return content.textValue();
    }
    if (!content.isArray()) {
      throw ApiError.field(name, "'" + name + "' is no string and no array of texts");
    }
    StringBuilder text = new StringBuilder();
    for (JsonNode part : content) {
      if (!part.path("type").asText().equals("text") || !part.path("text").isTextual()) {
        throw ApiError.unsupported(name, "'" + name + "' has a part that is no text");
      }
      text.append(part.path("text").textValue());
    }
    return text.toString();
  }
}
