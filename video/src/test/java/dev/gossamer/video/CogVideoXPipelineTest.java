package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.adacluster.AdaCluster;
import dev.gossamer.attention.adacluster.AdaClusterSettings;
import dev.gossamer.attention.rivals.Rivals;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.schedulers.StepNoise;
import dev.gossamer.video.schedulers.Stepper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden {@code cogvideox_pipeline}: a complete tiny checkpoint, made with CogVideoXPipeline. */
class CogVideoXPipelineTest {
  /** The reference differs from itself by 9e-6 between versions; models.md names this bound. */
  private static final double TOLERANCE = 2e-4;

  private static final Golden GOLDEN = Golden.open("/goldens/cogvideox_pipeline/io.safetensors");
  private static final Path CHECKPOINT = Golden.path("/goldens/cogvideox_pipeline/checkpoint");
  private static final String PROMPT = "A panda plays the guitar";

  @TempDir Path folder;

  private static VideoRequest request(TextToVideo model) {
    return model.request(PROMPT).withSteps(4);
  }

  private static TextToVideo open(Path checkpoint) {
    return TextToVideo.open(checkpoint, ModelOptions.defaults().withThreads(2));
  }

  private RunOptions run(String name) {
    Path file = folder.resolve("noise.safetensors");
    SafetensorsWriter.write(file, Map.of("latents", GOLDEN.tensor("latents_init")), Map.of());
    return RunOptions.to(folder.resolve(name + ".mp4"))
        .withNoise(file)
        .withSavedLatents(folder.resolve(name + ".safetensors"))
        .withSavedFrames(folder.resolve(name + "_frames.safetensors"));
  }

  private Path copy() throws IOException {
    Path target = folder.resolve("checkpoint");
    try (Stream<Path> files = Files.walk(CHECKPOINT)) {
      for (Path file : files.toList()) {
        Files.copy(file, target.resolve(CHECKPOINT.relativize(file).toString()));
      }
    }
    return target;
  }

  /** The checkpoint with a rotary transformer and DPM: a tiny 5B. */
  private Path rotary() throws IOException {
    Path checkpoint = copy();
    Path rope = Golden.path("/goldens/cogvideox_pipeline/transformer_rope");
    for (String name : List.of("config.json", "diffusion_pytorch_model.safetensors")) {
      Files.write(
          checkpoint.resolve("transformer/" + name), Files.readAllBytes(rope.resolve(name)));
    }
    Path scheduler = checkpoint.resolve("scheduler/scheduler_config.json");
    Files.writeString(scheduler, Files.readString(scheduler).replace("DDIM", "DPM"));
    return checkpoint;
  }

  @Test
  void latentsOfEveryStepAndFramesAreThoseOfTheReference() {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      assertThat(model.model().defaults()).isEqualTo(new VideoDefaults(9, 96, 64, 50, 6, 8));
      model.generate(request(model), run("panda"), Progress.NONE);
      SafetensorsFile saved = SafetensorsFile.open(folder.resolve("panda.safetensors"));
      for (int step = 0; step < 4; step++) {
        assertThat(
                Golden.maxDifference(
                    saved.tensor("step_00" + step), GOLDEN.tensor("latents_steps").select(0, step)))
            .as("latents after step %d", step)
            .isLessThan(TOLERANCE);
      }
      Tensor frames =
          SafetensorsFile.open(folder.resolve("panda_frames.safetensors")).tensor("frames");
      assertThat(frames.shape()).containsExactly(9, 3, 64, 96);
      Tensor reference = GOLDEN.tensor("frames_0_4_8").permute(0, 3, 1, 2);
      assertThat(Golden.maxDifference(frames.every(0, 0, 4), reference)).isLessThan(TOLERANCE);
      DecodedVideo decoded =
          model.decode(
              folder.resolve("panda.safetensors"),
              RunOptions.to(folder.resolve("again.mp4")),
              Progress.NONE);
      assertThat(decoded.frames()).isEqualTo(9);
    }
  }

  @Test
  void dpmWithRotaryPositionsAndGrowingGuidanceIsThatOfTheReference() throws IOException {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        TextToVideo opened = open(rotary())) {
      VideoModel model = opened.model();
      assertThat(model.settings())
          .containsEntry("scheduler", "cogvideox-dpm")
          .containsEntry("dynamicGuidance", true);
      VideoRequest request = request(opened);
      Schedule schedule = model.schedule(4);
      assertThat(schedule.timesteps())
          .containsExactly(GOLDEN.tensor("dpm_rope_dynamic.timesteps").toDoubles());
      AttentionPlan plan = new AttentionPlan(2, 2, 4, model.tokens(request), 0, Set.of(), 0);
      Tensor noises = GOLDEN.tensor("dpm_rope_dynamic.noises");
      int[] taken = {0};
      StepNoise draws = () -> noises.select(0, taken[0]++);
      List<PromptEncoding> prompts = List.of(model.encode(PROMPT), model.encode(""));
      try (AttentionSession session = new DenseAttention().open(plan, threads);
          Denoiser denoiser = model.denoiser(request, prompts, session);
          Stepper stepper = schedule.stepper(draws)) {
        Tensor latents = GOLDEN.tensor("latents_init");
        for (int step = 0; step < 4; step++) {
          double timestep = schedule.timesteps()[step];
          Tensor with = denoiser.predict(latents, timestep, step, 0);
          Tensor without = denoiser.predict(latents, timestep, step, 1);
          Tensor v = without.add(with.sub(without).mul(denoiser.guidance(step, timestep)));
          latents = stepper.step(step, v, latents);
          assertThat(
                  Golden.maxDifference(
                      latents, GOLDEN.tensor("dpm_rope_dynamic.latents_steps").select(0, step)))
              .as("latents after step %d", step)
              .isLessThan(TOLERANCE);
        }
      }
      assertThat(taken[0]).isEqualTo(6);
      prompts.forEach(PromptEncoding::close);
    }
  }

  /** Noise that steps add comes from the seed, so a video is made twice alike. */
  @Test
  void dpmRepeatsItself() throws IOException {
    try (Scope scope = Scope.open();
        TextToVideo model = open(rotary())) {
      VideoResult first = model.generate(request(model), run("first"), Progress.NONE);
      VideoResult second = model.generate(request(model), run("second"), Progress.NONE);
      VideoResult other = model.generate(request(model).withSeed(7), run("other"), Progress.NONE);
      assertThat(second.report().latentsSha256()).isEqualTo(first.report().latentsSha256());
      assertThat(other.report().latentsSha256()).isNotEqualTo(first.report().latentsSha256());
    }
  }

  /** Tokens of version 1.5 span two latent frames: one is drawn in front and dropped. */
  @Test
  void version15DrawsOneLatentFrameMore() throws IOException {
    Path checkpoint = rotary();
    Path volume = Golden.path("/goldens/cogvideox_transformer/v15/checkpoint");
    for (String name : List.of("config.json", "diffusion_pytorch_model.safetensors")) {
      Files.write(
          checkpoint.resolve("transformer/" + name), Files.readAllBytes(volume.resolve(name)));
    }
    try (Scope scope = Scope.open();
        TextToVideo model = open(checkpoint)) {
      assertThat(model.model().name()).startsWith("CogVideoX 1.5");
      VideoRequest request = request(model).withFrames(9).withSize(96, 64).withSteps(2);
      assertThat(model.model().latentShape(request)).containsExactly(1, 4, 4, 8, 12);
      RunOptions run =
          RunOptions.to(folder.resolve("v15.mp4"))
              .withSavedFrames(folder.resolve("v15_frames.safetensors"));
      model.generate(request, run, Progress.NONE);
      assertThat(
              SafetensorsFile.open(folder.resolve("v15_frames.safetensors"))
                  .tensor("frames")
                  .size(0))
          .isEqualTo(9);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"default", "paper", "svg2", "sparge"})
  void everyAttentionMethodMakesAVideo(String name) {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      AdaClusterSettings settings =
          switch (name) {
            case "svg2" -> Rivals.SVG2;
            case "sparge" -> Rivals.SPARGE;
            default -> AdaClusterSettings.presets().get(name);
          };
      AdaClusterSettings few =
          settings.with("minTokens", "0").with("kq", "8").with("kk", "8").with("k0", "8");
      VideoRequest request = request(model).withAttention(new AdaCluster(few));
      VideoResult result = model.generate(request, run(name), Progress.NONE);
      assertThat(result.report().attention().density()).isBetween(0.0, 0.999);
    }
  }

  @Test
  void previewsAndExplainsLatentsWhoseFramesComeFirst() {
    AdaClusterSettings few =
        AdaClusterSettings.presets().get("default").with("minTokens", "0").with("kk", "8");
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      VideoRequest request = request(model).withAttention(new AdaCluster(few));
      RunOptions run = run("shown").withPreview(1).withExplanation(Set.of(3));
      VideoResult result = model.generate(request, run, Progress.NONE);
      assertThat(result.preview()).isPresent();
      assertThat(result.explanations()).hasSize(1);
    }
  }

  @Test
  void promptsAreEncodedAsInTheReference() {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      Tensor both = GOLDEN.tensor("first_call.encoder_hidden_states");
      int row = 0;
      for (String prompt : List.of("", PROMPT)) {
        try (PromptEncoding encoding = model.model().encode(prompt)) {
          assertThat(Golden.maxDifference(encoding.tensor("rows"), both.narrow(0, row++, 1)))
              .isLessThan(2e-5);
        }
      }
    }
  }

  @Test
  void lowPrecisionStaysNearTheReference() {
    ModelOptions options = ModelOptions.defaults().withThreads(2).withDtype(DType.BFLOAT16);
    try (Scope scope = Scope.open();
        TextToVideo model = TextToVideo.open(CHECKPOINT, options)) {
      model.generate(request(model), run("bf16"), Progress.NONE);
      Tensor last = SafetensorsFile.open(folder.resolve("bf16.safetensors")).tensor("latents");
      assertThat(Golden.relativeError(last, GOLDEN.tensor("latents_steps").select(0, 3)))
          .isBetween(1e-6, 0.1);
    }
  }

  @Test
  void sizesThatTheModelCannotDrawAreRefused() {
    try (TextToVideo model = open(CHECKPOINT)) {
      VideoGeometry geometry = model.model().geometry();
      geometry.check(17, 96, 64);
      assertThatThrownBy(() -> geometry.check(13, 96, 64))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("9 or 17");
      assertThatThrownBy(() -> geometry.check(9, 100, 64)).isInstanceOf(UsageException.class);
    }
  }

  @Test
  void foreignPartsAndVariantsAreRefused() throws IOException {
    Path checkpoint = copy();
    Path config = checkpoint.resolve("transformer/config.json");
    String sound = Files.readString(config);
    for (String edit :
        List.of(
            "\"ofs_embed_dim\": null>\"ofs_embed_dim\": 512",
            "\"in_channels\": 4>\"in_channels\": 8",
            "\"text_embed_dim\": 32>\"text_embed_dim\": 64",
            "\"use_learned_positional_embeddings\": false>"
                + "\"use_learned_positional_embeddings\": true")) {
      String[] change = edit.split(">");
      assertThat(sound).contains(change[0]);
      Files.writeString(config, sound.replace(change[0], change[1]));
      assertThatThrownBy(() -> TextToVideo.open(checkpoint).close())
          .as(edit)
          .isInstanceOf(BadInputException.class)
          .hasMessageNotContaining("\n");
    }
  }

  @Test
  void inspectionAndPlanNeedNoWeights() {
    Checkpoint checkpoint = Checkpoint.open(CHECKPOINT);
    List<ComponentInspection> parts =
        new dev.gossamer.video.cogvideox.CogVideoXFamily().inspect(checkpoint);
    assertThat(parts).hasSize(3).allMatch(part -> part.problems().isEmpty());
    try (TextToVideo opened = open(CHECKPOINT)) {
      VideoModel model = opened.model();
      VideoRequest small = request(opened);
      CostPlan few = model.cost(small);
      CostPlan many = model.cost(small.withSize(192, 128));
      assertThat(many.tokens()).isEqualTo(4 * few.tokens());
      assertThat(many.totalFlops()).isGreaterThan(3 * few.totalFlops());
      assertThat(model.workBytes(VideoPart.DECODER, small.withSize(192, 128), opened.options()))
          .isEqualTo(4 * model.workBytes(VideoPart.DECODER, small, opened.options()));
      assertThat(model.isLoaded(VideoPart.TRANSFORMER)).isFalse();
      try (Scope scope = Scope.open();
          Generator generator = Generator.seeded(1)) {
        assertThat(model.noise(generator, small).shape())
            .containsExactly(GOLDEN.tensor("latents_init").shape());
      }
    }
  }
}
