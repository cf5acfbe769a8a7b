package dev.gossamer.bench.shapes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The configurations of a released model: everything that its folder holds but weights. */
public enum ReleasedShape {
  WAN_1_3B("wan2.1-t2v-1.3b"),
  WAN_14B("wan2.1-t2v-14b"),
  COGVIDEOX_2B("cogvideox-2b"),
  COGVIDEOX_5B("cogvideox-5b"),
  COGVIDEOX_1_5_5B("cogvideox1.5-5b"),
  HUNYUANVIDEO("hunyuanvideo");

  private static final String LLAMA = "tokenizer";
  private static final String CLIP = "tokenizer_2";

  private final String option;

  ReleasedShape(String option) {
    this.option = option;
  }

  /** As a person writes it. */
  public String option() {
    return option;
  }

  /**
   * @throws UsageException if there is no shape of this name
   */
  public static ReleasedShape of(String option) {
    return Arrays.stream(values())
        .filter(shape -> shape.option.equals(option))
        .findFirst()
        .orElseThrow(
            () -> new UsageException("There is no model shape '" + option + "'", "Use " + names()));
  }

  /** All of them, for help. */
  public static String names() {
    return Arrays.stream(values()).map(ReleasedShape::option).collect(Collectors.joining(", "));
  }

  /** Writes configurations, and small tokenizers of our own in place of the released ones. */
  void writeTo(Path folder) throws IOException {
    JsonNode files;
    ObjectMapper json = new ObjectMapper();
    try (InputStream stream = ReleasedShape.class.getResourceAsStream(option + ".json")) {
      files = json.readTree(stream);
    }
    for (Map.Entry<String, JsonNode> file : files.properties()) {
      Path path = folder.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      json.writerWithDefaultPrettyPrinter().writeValue(path.toFile(), file.getValue());
    }
    if (this == HUNYUANVIDEO) {
      copy(folder, LLAMA, List.of("tokenizer.json", "tokenizer_config.json"));
      copy(folder, CLIP, List.of("vocab.json", "merges.txt", "tokenizer_config.json"));
    } else {
      Path tokenizer = Files.createDirectory(folder.resolve("tokenizer"));
      try (Stream<Path> own = Files.list(MiniModel.folder().resolve("tokenizer"))) {
        for (Path file : own.toList()) {
          Files.copy(file, tokenizer.resolve(file.getFileName().toString()));
        }
      }
    }
  }

  private static void copy(Path folder, String tokenizer, List<String> names) throws IOException {
    Path into = Files.createDirectory(folder.resolve(tokenizer));
    for (String name : names) {
      String resource = "tokenizers/" + tokenizer + "/" + name;
      try (InputStream stream = ReleasedShape.class.getResourceAsStream(resource)) {
        Files.copy(stream, into.resolve(name));
      }
    }
  }
}
