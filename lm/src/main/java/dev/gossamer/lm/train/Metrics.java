package dev.gossamer.lm.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The figures of a run, a line of JSON for each step and each look at held-out text. A run that
 * goes on from an earlier step forgets the lines behind it.
 */
public final class Metrics implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path path;
  private final Writer writer;

  private Metrics(Path path, Writer writer) {
    this.path = path;
    this.writer = writer;
  }

  /**
   * @param step behind which the run goes on; 0 for a new one
   */
  static Metrics open(Path path, long step) {
    try {
      List<String> kept = new ArrayList<>();
      if (step > 0 && Files.isRegularFile(path)) {
        for (String line : Files.readAllLines(path)) {
          if (isUpTo(line, step)) {
            kept.add(line);
          }
        }
      }
      String text = String.join("\n", kept) + (kept.isEmpty() ? "" : "\n");
      PartFile.write(path, text.getBytes(StandardCharsets.UTF_8));
      return new Metrics(path, Files.newBufferedWriter(path, StandardOpenOption.APPEND));
    } catch (IOException e) {
      throw failure(path, e);
    }
  }

  private static boolean isUpTo(String line, long step) {
    try {
      long of = JSON.readTree(line).path("step").asLong(Long.MAX_VALUE);
      return of <= step;
    } catch (JsonProcessingException e) {
      return false; // the last line of a killed run
    }
  }

  void add(Map<String, Object> document) {
    try {
      writer.write(JSON.writeValueAsString(document) + "\n");
      writer.flush();
    } catch (IOException e) {
      throw failure(path, e);
    }
  }

  /** The lines of a file as they were written; one that a kill cut short at its end is left out. */
  public static List<Map<String, Object>> read(Path path) {
    try {
      List<Map<String, Object>> lines = new ArrayList<>();
      List<String> texts = Files.readAllLines(path);
      for (int i = 0; i < texts.size(); i++) {
        if (i + 1 == texts.size() && !isUpTo(texts.get(i), Long.MAX_VALUE)) {
          break;
        }
        @SuppressWarnings("unchecked") // objects have texts for keys
        Map<String, Object> document = JSON.readValue(texts.get(i), Map.class);
        lines.add(document);
      }
      return lines;
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + path + ": " + PartFile.reason(e), "Name a run's metrics.jsonl", e);
    }
  }

  private static EnvironmentException failure(Path path, IOException e) {
    return new EnvironmentException(
        "Cannot write " + path + ": " + PartFile.reason(e), "Is the disk full?", e);
  }

  @Override
  public void close() {
    try {
      writer.close();
    } catch (IOException e) {
      throw failure(path, e);
    }
  }
}
