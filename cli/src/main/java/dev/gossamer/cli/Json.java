package dev.gossamer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import java.io.PrintStream;
import java.nio.file.Path;

/** Prints the one JSON document of {@code --json}. */
final class Json {
  private static final ObjectMapper MAPPER =
      new ObjectMapper()
          .enable(SerializationFeature.INDENT_OUTPUT)
          // Jackson's own form of a path is a file: URI.
          .registerModule(new SimpleModule().addSerializer(Path.class, new ToStringSerializer()));

  private Json() {}

  /**
   * @param document maps, lists, records, texts, numbers, truth values
   */
  static void print(PrintStream out, Object document) {
    try {
      out.println(MAPPER.writeValueAsString(document));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("Not a JSON document: " + document, e);
    }
  }

  /** A document that is text already, as a part of another. */
  static Object tree(String json) {
    try {
      return MAPPER.readTree(json);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("Not a JSON document: " + json, e);
    }
  }
}
