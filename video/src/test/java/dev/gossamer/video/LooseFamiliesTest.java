package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** CogVideoX and HunyuanVideo under their makers' names give the video of diffusers' layout. */
class LooseFamiliesTest {
  @TempDir Path temp;

  private static Path golden(String family) {
    return Golden.path("/goldens/" + family + "_pipeline/checkpoint");
  }

  /** Digits of the frames that a model makes. */
  private String frames(CheckpointSource source) {
    try (TextToVideo model = TextToVideo.open(source, ModelOptions.defaults().withThreads(1))) {
      VideoRequest request =
          model.request("a cat").withFrames(9).withSize(64, 48).withSteps(2).withGuidance(3);
      return model
          .generate(request, RunOptions.to(temp.resolve("cat.mp4")), Progress.NONE)
          .report()
          .framesSha256();
    }
  }

  private static Function<Set<String>, OriginalNames> transformer(String family) {
    return family.equals("hunyuan") ? OriginalNames::hunyuan : OriginalNames::cogvideox;
  }

  /** A part in a folder of its own with its configuration: tiny sizes cannot be told. */
  private Path part(
      String family, String component, Function<Set<String>, OriginalNames> names, String prefix)
      throws IOException {
    Path from = golden(family).resolve(component);
    Path folder = Files.createDirectories(temp.resolve("models/" + component + "_files"));
    Files.copy(from.resolve("config.json"), folder.resolve("config.json"));
    TensorFiles files = TensorFiles.in(from);
    Path file = folder.resolve(family + ".safetensors");
    return names.apply(files.entries().keySet()).write(files, file, prefix);
  }

  private void copy(Path from, String to) throws IOException {
    Path folder = Files.createDirectories(temp.resolve("models").resolve(to));
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        Files.copy(
            file, folder.resolve(name.equals("model.safetensors") ? "part.safetensors" : name));
      }
    }
  }

  /** A folder of single files, tokenizers in folders of their components' names. */
  private Path loose(String family) throws IOException {
    part(family, "transformer", transformer(family), "model.diffusion_model.");
    for (String component :
        new String[] {"text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"}) {
      Path from = golden(family).resolve(component);
      if (Files.isDirectory(from)) {
        copy(from, component);
      }
    }
    part(family, "vae", OriginalNames::autoencoder, "");
    return temp.resolve("models");
  }

  @ParameterizedTest
  @ValueSource(strings = {"cogvideox", "hunyuan"})
  void aFolderOfSingleFilesMakesTheSameVideo(String family) throws IOException {
    Path models = loose(family);
    assertThat(frames(CheckpointSource.of(models)))
        .isEqualTo(frames(CheckpointSource.of(golden(family))));
    Checkpoint checkpoint = Checkpoint.open(models);
    assertThat(TextToVideo.family(checkpoint).inspect(checkpoint))
        .isNotEmpty()
        .allSatisfy(part -> assertThat(part.problems()).isEmpty());
  }

  @ParameterizedTest
  @ValueSource(strings = {"cogvideox", "hunyuan"})
  void aNamedPartTakesThePlaceOfTheFoldersOwnWithItsConfiguration(String family)
      throws IOException {
    Path file = part(family, "transformer", transformer(family), "");
    Files.delete(file.resolveSibling("config.json"));
    assertThat(
            frames(new CheckpointSource(Optional.of(golden(family)), Map.of("transformer", file))))
        .isEqualTo(frames(CheckpointSource.of(golden(family))));
  }

  /** A folder of diffusers' without its index is one of single files. */
  @ParameterizedTest
  @ValueSource(strings = {"cogvideox", "hunyuan"})
  void aFolderWithoutItsIndexIsReadByItsTensors(String family) throws IOException {
    for (String component :
        new String[] {
          "transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"
        }) {
      if (Files.isDirectory(golden(family).resolve(component))) {
        copy(golden(family).resolve(component), component);
      }
    }
    assertThat(frames(CheckpointSource.of(temp.resolve("models"))))
        .isEqualTo(frames(CheckpointSource.of(golden(family))));
  }

  @Test
  void allPartsOfHunyuanVideoMayBeNamedAndReplay() throws IOException {
    Path models = loose("hunyuan");
    Map<String, Path> parts = new TreeMap<>();
    parts.put("transformer", models.resolve("transformer_files/hunyuan.safetensors"));
    parts.put("text_encoder", models.resolve("text_encoder/part.safetensors"));
    parts.put("text_encoder_2", models.resolve("text_encoder_2/part.safetensors"));
    parts.put("vae", golden("hunyuan").resolve("vae")); // its makers' names are diffusers'
    parts.put("tokenizer", models.resolve("tokenizer/tokenizer.json"));
    parts.put("tokenizer_2", models.resolve("tokenizer_2"));
    CheckpointSource source = new CheckpointSource(Optional.empty(), parts);
    String expected = frames(CheckpointSource.of(golden("hunyuan")));
    assertThat(frames(source)).isEqualTo(expected);
    assertThat(Replay.read(temp.resolve("cat.json")).source()).isEqualTo(source);
  }

  private void refused(CheckpointSource source, String... words) {
    assertThatThrownBy(() -> TextToVideo.open(source, ModelOptions.defaults()).close())
        .isInstanceOf(BadInputException.class)
        .satisfies(e -> assertThat(e.getMessage()).contains(words));
  }

  @Test
  void eachMissingPartIsNamedWithItsOption() throws IOException {
    Path models = loose("hunyuan");
    Files.move(models.resolve("tokenizer_2"), models.resolve("clip_words"));
    refused(CheckpointSource.of(models), "carries no tokenizer", "with --tokenizer-2, or call");
    Files.move(models.resolve("tokenizer"), models.resolve("llama_words"));
    refused(CheckpointSource.of(models), "carries no tokenizer", "with --tokenizer, or call");
    Files.delete(models.resolve("text_encoder_2/part.safetensors"));
    refused(CheckpointSource.of(models), "no text_encoder_2", "--text-encoder-2");
    Files.delete(models.resolve("text_encoder/part.safetensors"));
    refused(CheckpointSource.of(models), "no text_encoder ", "--text-encoder");
  }

  @Test
  void rowsThatAreMissingAreNamedByBothPartsOfThem() throws IOException {
    Path file = part("hunyuan", "transformer", OriginalNames::hunyuan, "");
    Path config = file.resolveSibling("config.json");
    Files.writeString(
        config,
        Files.readString(config).replace("\"num_single_layers\": 2", "\"num_single_layers\": 3"));
    refused(
        new CheckpointSource(Optional.of(golden("hunyuan")), Map.of("transformer", file)),
        "" + file,
        "missing 'single_transformer_blocks.2.attn.to_k");
  }
}
