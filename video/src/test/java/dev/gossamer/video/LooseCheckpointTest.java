package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models in single files give the video of the same weights in diffusers' layout. */
class LooseCheckpointTest {
  @TempDir static Path common;
  private static Path diffusers;
  private static String frames;

  @TempDir Path temp;

  @BeforeAll
  static void make() throws IOException {
    diffusers = TinyWan.write(common.resolve("diffusers"));
    frames = frames(CheckpointSource.of(diffusers), common);
  }

  /** Digits of the frames that a model makes. */
  private static String frames(CheckpointSource source, Path out) {
    try (TextToVideo model = TextToVideo.open(source, ModelOptions.defaults().withThreads(1))) {
      VideoRequest request =
          model.request("a cat").withFrames(5).withSize(32, 32).withSteps(2).withGuidance(3);
      return model
          .generate(request, RunOptions.to(out.resolve("cat.mp4")), Progress.NONE)
          .report()
          .framesSha256();
    }
  }

  /** Original names, as WanNamesTest holds them against the goldens; told here by hand. */
  private static String original(String name) {
    return name.replace("condition_embedder.time_embedder.linear_1", "time_embedding.0")
        .replace("condition_embedder.time_embedder.linear_2", "time_embedding.2")
        .replace("condition_embedder.time_proj", "time_projection.1")
        .replace("condition_embedder.text_embedder.linear_1", "text_embedding.0")
        .replace("condition_embedder.text_embedder.linear_2", "text_embedding.2")
        .replace("proj_out", "head.head")
        .replaceAll("^scale_shift_table", "head.modulation")
        .replace("scale_shift_table", "modulation")
        .replace("norm2", "norm3")
        .replace("attn1.to_out.0", "self_attn.o")
        .replace("attn2.to_out.0", "cross_attn.o")
        .replace("attn1.to_", "self_attn.")
        .replace("attn2.to_", "cross_attn.")
        .replace("attn1.", "self_attn.")
        .replace("attn2.", "cross_attn.")
        .replace("ffn.net.0.proj", "ffn.0")
        .replace("ffn.net.2", "ffn.2");
  }

  private Path transformer(String file, UnaryOperator<String> naming) throws IOException {
    return repack("transformer", file, naming);
  }

  private Path repack(String component, String file, UnaryOperator<String> naming)
      throws IOException {
    Path target = temp.resolve(file);
    Files.createDirectories(target.getParent());
    TinyWan.repack(diffusers.resolve(component), target, naming);
    return target;
  }

  /** The layout that node editors have: a folder for each kind of file. */
  private void comfyFolder() throws IOException {
    transformer("diffusion_models/wan.safetensors", name -> original(name));
    repack("text_encoder", "text_encoders/umt5.safetensors", name -> name);
    repack("vae", "vae/wan_vae.safetensors", name -> name);
    copyTokenizer("umt5-tokenizer");
  }

  private void copyTokenizer(String name) throws IOException {
    Path from = diffusers.resolve("tokenizer");
    Path to = Files.createDirectories(temp.resolve(name));
    for (String file : new String[] {"tokenizer.json", "tokenizer_config.json"}) {
      Files.copy(from.resolve(file), to.resolve(file));
    }
  }

  @Test
  void aFolderOfSingleFilesMakesTheSameVideo() throws IOException {
    comfyFolder();
    assertThat(frames(CheckpointSource.of(temp), temp)).isEqualTo(frames);
  }

  @Test
  void namedFilesMakeTheSameVideoAndReplay() throws IOException {
    comfyFolder();
    CheckpointSource source =
        new CheckpointSource(
            Optional.empty(),
            Map.of(
                "transformer",
                transformer("x.safetensors", name -> "model.diffusion_model." + original(name)),
                "text_encoder",
                temp.resolve("text_encoders/umt5.safetensors"),
                "vae",
                temp.resolve("vae/wan_vae.safetensors"),
                "tokenizer",
                temp.resolve("umt5-tokenizer/tokenizer.json")));
    assertThat(frames(source, temp)).isEqualTo(frames);
    Replay replay = Replay.read(temp.resolve("cat.json"));
    assertThat(replay.source()).isEqualTo(source);
    try (TextToVideo model = TextToVideo.open(replay.source(), replay.options())) {
      assertThat(replay.replay(model, temp.resolve("again.mp4"), Progress.NONE).sameVideo())
          .isTrue();
    }
  }

  @Test
  void oneFileMayHoldAllParts() throws IOException {
    Map<String, Tensor> all = new LinkedHashMap<>();
    Path file = temp.resolve("all.safetensors");
    try (Scope scope = Scope.open()) {
      Map.of("transformer", "model.diffusion_model.", "vae", "vae.", "text_encoder", "te.")
          .forEach(
              (component, prefix) -> {
                TensorFiles files = TensorFiles.in(diffusers.resolve(component));
                files
                    .entries()
                    .keySet()
                    .forEach(name -> all.put(prefix + name, files.tensor(name)));
              });
      SafetensorsWriter.write(file, all, Map.of());
    }
    CheckpointSource source =
        new CheckpointSource(
            Optional.of(file), Map.of("tokenizer", diffusers.resolve("tokenizer")));
    assertThat(frames(source, temp)).isEqualTo(frames);
  }

  @Test
  void aNamedPartTakesThePlaceOfTheFoldersOwn() throws IOException {
    Path file = transformer("fine.safetensors", name -> original(name));
    CheckpointSource source =
        new CheckpointSource(Optional.of(diffusers), Map.of("transformer", file));
    assertThat(frames(source, temp)).isEqualTo(frames);
    Path own = transformer("own.safetensors", name -> name);
    assertThat(
            frames(new CheckpointSource(Optional.of(diffusers), Map.of("transformer", own)), temp))
        .isEqualTo(frames);
  }

  @Test
  void aTextEncoderMayCarryItsTokenizer() throws IOException {
    comfyFolder();
    Path pieces = Golden.path("/goldens/cogvideox_pipeline/checkpoint/tokenizer/spiece.model");
    Map<String, Tensor> all = new LinkedHashMap<>();
    try (Scope scope = Scope.open()) {
      TensorFiles files = TensorFiles.in(diffusers.resolve("text_encoder"));
      files.entries().keySet().forEach(name -> all.put(name, files.tensor(name)));
      byte[] bytes = Files.readAllBytes(pieces);
      float[] values = new float[bytes.length];
      for (int i = 0; i < bytes.length; i++) {
        values[i] = bytes[i] & 0xff;
      }
      all.put("spiece_model", Tensor.of(values, values.length).to(DType.UINT8));
      SafetensorsWriter.write(temp.resolve("carrying.safetensors"), all, Map.of());
    }
    Path encoder = temp.resolve("carrying.safetensors");
    Files.delete(temp.resolve("umt5-tokenizer/tokenizer.json"));
    String carried = with(Map.of("text_encoder", encoder));
    String named = with(Map.of("text_encoder", encoder, "tokenizer", pieces));
    assertThat(carried).isEqualTo(named);
  }

  @Test
  void weightsOfEightBitsAreReadWithTheirScale() throws IOException {
    comfyFolder();
    Map<String, Tensor> rounded = new LinkedHashMap<>();
    Map<String, Tensor> stored = new LinkedHashMap<>();
    Path file = temp.resolve("diffusion_models/wan.safetensors");
    try (Scope scope = Scope.open()) {
      TensorFiles files = TensorFiles.of(file);
      for (String name : files.entries().keySet()) {
        Tensor tensor = files.tensor(name).copy();
        if (name.endsWith("ffn.0.weight")) {
          Tensor small = tensor.div(0.25).to(DType.FLOAT8_E4M3);
          stored.put(name, small);
          stored.put(name.replace("weight", "scale_weight"), Tensor.of(new float[] {0.25f}, 1));
          rounded.put(name, small.to(DType.FLOAT32).mul(0.25));
        } else {
          stored.put(name, tensor);
          rounded.put(name, tensor);
        }
      }
      stored.put("scaled_fp8", Tensor.zeros(DType.FLOAT32, 2).to(DType.FLOAT8_E4M3));
      SafetensorsWriter.write(file, stored, Map.of());
      SafetensorsWriter.write(temp.resolve("rounded.safetensors"), rounded, Map.of());
    }
    String read = with(Map.of("transformer", file));
    assertThat(read)
        .isEqualTo(with(Map.of("transformer", temp.resolve("rounded.safetensors"))))
        .isNotEqualTo(frames);
  }

  private String with(Map<String, Path> parts) {
    return frames(new CheckpointSource(Optional.of(temp), parts), temp);
  }

  @Test
  void inspectionSaysWhereThePartsLie() throws IOException {
    comfyFolder();
    Checkpoint checkpoint = Checkpoint.open(temp);
    assertThat(TextToVideo.family(checkpoint).inspect(checkpoint))
        .allSatisfy(part -> assertThat(part.problems()).isEmpty())
        .extracting(ComponentInspection::place)
        .contains(temp.resolve("diffusion_models/wan.safetensors").toString());
  }

  private void refused(CheckpointSource source, String... words) {
    assertThatThrownBy(() -> TextToVideo.open(source, ModelOptions.defaults()).close())
        .isInstanceOf(BadInputException.class)
        .satisfies(
            e -> {
              assertThat(e.getMessage()).contains(words);
            });
  }

  @Test
  void severalTransformersHaveToBeChosenFrom() throws IOException {
    comfyFolder();
    Path other = transformer("diffusion_models/other.safetensors", name -> name);
    refused(
        CheckpointSource.of(temp),
        "2 files there can be its transformer",
        "other.safetensors",
        "--transformer FILE");
    assertThat(with(Map.of("transformer", other))).isEqualTo(frames);
  }

  @Test
  void whatIsMissingIsNamedWithItsOption() throws IOException {
    comfyFolder();
    Files.move(temp.resolve("vae/wan_vae.safetensors"), temp.resolve("vae/Wan2.1_VAE.pth"));
    refused(CheckpointSource.of(temp), "there is no vae for it", "Wan2.1_VAE.pth", "--vae");
    Files.delete(temp.resolve("text_encoders/umt5.safetensors"));
    refused(CheckpointSource.of(temp), "there is no text_encoder", "--text-encoder");
    Files.delete(temp.resolve("diffusion_models/wan.safetensors"));
    refused(CheckpointSource.of(temp), "no transformer of a model known here");
  }

  @Test
  void aTokenizerHasToBeThereOnce() throws IOException {
    comfyFolder();
    copyTokenizer("second");
    refused(CheckpointSource.of(temp), "tokenizers are in", "--tokenizer");
    for (String name : new String[] {"second", "umt5-tokenizer"}) {
      Files.delete(temp.resolve(name).resolve("tokenizer.json"));
    }
    refused(CheckpointSource.of(temp), "carries no tokenizer", "--tokenizer");
  }

  @Test
  void aFileOfSomethingElseIsRefused() throws IOException {
    Path vae = repack("vae", "vae.safetensors", name -> name);
    refused(
        new CheckpointSource(Optional.empty(), Map.of("transformer", vae)),
        "Cannot use " + vae + " as transformer");
    refused(
        new CheckpointSource(Optional.of(diffusers), Map.of("transformer", vae)),
        vae.toString(),
        "missing");
    refused(
        new CheckpointSource(Optional.of(diffusers), Map.of("image_encoder", vae)),
        "a WanPipeline has no image_encoder");
    assertThatThrownBy(() -> new CheckpointSource(Optional.empty(), Map.of("vae", vae)))
        .isInstanceOf(UsageException.class);
  }

  @Test
  void tensorsOfAnotherModelAreNamed() throws IOException {
    comfyFolder();
    Map<String, Tensor> all = new LinkedHashMap<>();
    Path file = temp.resolve("diffusion_models/wan.safetensors");
    try (Scope scope = Scope.open()) {
      TensorFiles files = TensorFiles.of(file);
      files.entries().keySet().forEach(name -> all.put(name, files.tensor(name).copy()));
      all.put("vace_patch_embedding.weight", Tensor.of(new float[] {1}, 1));
      SafetensorsWriter.write(file, all, Map.of());
    }
    refused(CheckpointSource.of(temp), file.toString(), "unexpected 'vace_patch_embedding.weight'");
  }
}
