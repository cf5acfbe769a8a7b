package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders of each family with something wrong: one line that names the file and the remedy. */
class BrokenFolderTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path temp;
  private int copies;

  /** Something that went wrong on the way here. */
  private interface Damage {
    void to(Path folder) throws IOException;
  }

  /** Refused by {@code generate} before anything is written. */
  private void refused(String family, String because, Damage damage) throws IOException {
    Path model =
        TinyCheckpoint.copy(TinyCheckpoint.folder(family), temp.resolve(family + copies++));
    damage.to(model);
    Path out = temp.resolve("out/cat.mp4");
    CommandRun run = CommandRun.of(TinyCheckpoint.generate(model, out));
    assertThat(run.exitCode()).as(run.err()).isEqualTo(3);
    assertThat(run.err()).contains(because).contains("" + model).matches("gossamer: .+\\. .+\\R");
    assertThat(run.out()).isEmpty();
    assertThat(out.getParent())
        .satisfiesAnyOf(
            folder -> assertThat(folder).doesNotExist(),
            folder -> assertThat(folder).isEmptyDirectory());
  }

  private static List<String> components(String family) throws IOException {
    try (Stream<Path> parts = Files.list(TinyCheckpoint.folder(family))) {
      return parts
          .filter(Files::isDirectory)
          .map(part -> part.getFileName().toString())
          .sorted()
          .toList();
    }
  }

  private static List<String> weighty(String family) throws IOException {
    return components(family).stream()
        .filter(part -> !part.startsWith("tokenizer") && !part.equals("scheduler"))
        .toList();
  }

  private static void delete(Path path) throws IOException {
    try (Stream<Path> all = Files.walk(path)) {
      for (Path one : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(one);
      }
    }
  }

  private static Path config(Path folder, String component) {
    String name = component.equals("scheduler") ? "scheduler_config.json" : "config.json";
    return folder.resolve(component).resolve(name);
  }

  private static void change(Path json, String key, JsonNode value) throws IOException {
    ObjectNode object = (ObjectNode) JSON.readTree(json.toFile());
    object.set(key, value);
    JSON.writeValue(json.toFile(), object);
  }

  private static Path weights(Path folder, String component) {
    String stem = component.startsWith("text_encoder") ? "model" : "diffusion_pytorch_model";
    return folder.resolve(component).resolve(stem + ".safetensors");
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void aComponentIsMissing(String family) throws IOException {
    for (String component : components(family)) {
      refused(family, component, folder -> delete(folder.resolve(component)));
      refused(
          family,
          component,
          folder ->
              change(folder.resolve("model_index.json"), component, JSON.readTree("[null, null]")));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void aFileOfAComponentIsMissing(String family) throws IOException {
    refused(family, "scheduler", folder -> Files.delete(config(folder, "scheduler")));
    for (String component : weighty(family)) {
      refused(family, component, folder -> Files.delete(config(folder, component)));
      refused(family, component, folder -> Files.delete(weights(folder, component)));
    }
    for (String component : components(family)) {
      if (component.startsWith("tokenizer")) {
        refused(
            family,
            component,
            folder -> {
              delete(folder.resolve(component));
              Files.createDirectory(folder.resolve(component));
            });
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void aConfigurationIsNoObject(String family) throws IOException {
    for (String text : List.of("[]", "", "{\"a\": ", "7", "null")) {
      refused(
          family,
          "model_index.json",
          folder -> Files.writeString(folder.resolve("model_index.json"), text));
      refused(family, "scheduler", folder -> Files.writeString(config(folder, "scheduler"), text));
      for (String component : weighty(family)) {
        refused(family, component, folder -> Files.writeString(config(folder, component), text));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void aComponentIsOfAnotherClass(String family) throws IOException {
    JsonNode other = JSON.readTree("\"UNet2DConditionModel\"");
    refused(
        family,
        "UNet2DConditionModel",
        folder -> change(folder.resolve("model_index.json"), "_class_name", other));
    for (String component : List.of("transformer", "vae", "scheduler")) {
      refused(
          family,
          "UNet2DConditionModel",
          folder -> change(config(folder, component), "_class_name", other));
    }
    for (String component : weighty(family)) {
      if (component.startsWith("text_encoder")) {
        refused(
            family,
            "qwen2",
            folder -> change(config(folder, component), "model_type", JSON.readTree("\"qwen2\"")));
      }
      refused(
          family,
          component,
          folder ->
              change(
                  folder.resolve("model_index.json"),
                  component,
                  JSON.readTree("[\"diffusers\", \"UNet2DConditionModel\"]")));
    }
  }

  /** The files of one component are those of another, as when names were mixed up. */
  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void weightsAreOfAnotherModel(String family) throws IOException {
    for (String component : weighty(family)) {
      String donor = component.equals("vae") ? "transformer" : "vae";
      refused(
          family,
          component,
          folder -> {
            Files.delete(weights(folder, component));
            Files.copy(weights(TinyCheckpoint.folder(family), donor), weights(folder, component));
          });
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void weightsAreTruncatedOrNoSafetensors(String family) throws IOException {
    for (String component : weighty(family)) {
      refused(
          family, component, folder -> TinyCheckpoint.truncate(weights(folder, component), 100));
      refused(
          family,
          component,
          folder -> Files.writeString(weights(folder, component), "<html>not found</html>"));
      refused(family, component, folder -> Files.write(weights(folder, component), new byte[0]));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void shardsDoNotFitTheirIndex(String family) throws IOException {
    for (String component : weighty(family)) {
      refused(family, "shard-2", folder -> shard(weights(folder, component), "shard-2", true));
      refused(family, "..", folder -> shard(weights(folder, component), "../elsewhere", true));
      refused(
          family,
          "shard-1",
          folder -> {
            shard(weights(folder, component), "shard-1", true);
            TinyCheckpoint.truncate(folder.resolve(component).resolve("shard-1.safetensors"), 64);
          });
      refused(family, "weight_map", folder -> shard(weights(folder, component), "", false));
    }
  }

  /** Renames a file to shard-1 and writes an index that says where its last tensor is. */
  private static void shard(Path file, String lastIn, boolean map) throws IOException {
    ObjectNode index = JSON.createObjectNode();
    if (map) {
      ObjectNode names = index.putObject("weight_map");
      List<String> tensors = List.copyOf(SafetensorsFile.open(file).entries().keySet());
      for (int i = 0; i < tensors.size(); i++) {
        String shard = i < tensors.size() - 1 ? "shard-1" : lastIn;
        names.put(tensors.get(i), shard + ".safetensors");
      }
    }
    Path folder = file.getParent();
    Files.move(file, folder.resolve("shard-1.safetensors"));
    JSON.writeValue(folder.resolve(file.getFileName() + ".index.json").toFile(), index);
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void numbersOfAConfigurationAreHostile(String family) throws IOException {
    for (String component : weighty(family)) {
      JsonNode sound = JSON.readTree(config(TinyCheckpoint.folder(family), component).toFile());
      for (String value : List.of("0", "-1", "1000000000", "\"many\"")) {
        String key =
            Stream.of("num_layers", "num_hidden_layers", "latent_channels", "z_dim")
                .filter(sound::has)
                .findFirst()
                .orElseThrow();
        refused(
            family, key, folder -> change(config(folder, component), key, JSON.readTree(value)));
      }
    }
  }
}
