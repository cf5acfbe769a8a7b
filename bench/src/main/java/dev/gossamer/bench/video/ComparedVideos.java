package dev.gossamer.bench.video;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Comparisons in a file, one JSON document per line, so that a run of an hour can be interrupted
 * and go on later.
 */
final class ComparedVideos {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path file;
  private final List<ComparedVideo> videos;

  private ComparedVideos(Path file, List<ComparedVideo> videos) {
    this.file = file;
    this.videos = videos;
  }

  /**
   * What is there already; the last line may be half written and is then left out.
   *
   * @throws BadInputException if the file holds something else
   */
  static ComparedVideos in(Path file) {
    List<ComparedVideo> found = new ArrayList<>();
    try {
      if (Files.exists(file)) {
        String text = Files.readString(file);
        String whole = text.substring(0, text.lastIndexOf('\n') + 1);
        for (String line : whole.lines().toList()) {
          found.add(JSON.readValue(line, ComparedVideo.class));
        }
        if (whole.length() < text.length()) {
          Files.writeString(file, whole);
        }
      } else {
        Files.createDirectories(file.toAbsolutePath().getParent());
      }
    } catch (JsonProcessingException e) {
      throw new BadInputException(
          "Cannot go on from " + file + ": line " + (found.size() + 1) + " is no comparison",
          "Delete the file to begin anew",
          e);
    } catch (IOException e) {
      throw failure(file, e);
    }
    return new ComparedVideos(file, found);
  }

  private static GossamerException failure(Path file, IOException e) {
    return new GossamerException(
        "Cannot use " + file + ": " + e.getMessage(), "Name a folder that can be written", e);
  }

  Optional<ComparedVideo> find(String made, String prompt, String attention) {
    return videos.stream()
        .filter(video -> video.made().equals(made))
        .filter(video -> video.prompt().equals(prompt) && video.attention().equals(attention))
        .findFirst();
  }

  /** Adds one, on disk too. */
  void add(ComparedVideo video) {
    try {
      Files.writeString(
          file,
          JSON.writeValueAsString(video) + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw failure(file, e);
    }
    videos.add(video);
  }
}
