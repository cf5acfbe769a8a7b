package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Golden {@code wan_pipeline}: a complete tiny checkpoint, made with diffusers' WanPipeline. */
class WanPipelineTest {
  /** The reference differs from itself by 8e-6 between versions; models.md names this bound. */
  private static final double TOLERANCE = 2e-4;

  private static final Golden GOLDEN = Golden.open("/goldens/wan_pipeline/io.safetensors");
  private static final Path CHECKPOINT = Golden.path("/goldens/wan_pipeline/checkpoint");
  private static final String PROMPT = "A cat &amp; a dog   walk on\nthe grass, realistic";
  private static final String NEGATIVE = "low quality, blurry";

  @TempDir Path folder;

  private static VideoRequest request(TextToVideo model) {
    return model
        .request(PROMPT)
        .withNegative(NEGATIVE)
        .withFrames(9)
        .withSize(48, 32)
        .withSteps(5)
        .withGuidance(5);
  }

  private static TextToVideo open(Path checkpoint) {
    return TextToVideo.open(checkpoint, ModelOptions.defaults().withThreads(2));
  }

  /** Writes the golden's starting noise as {@code --noise} takes it. */
  private Path noise() {
    Path file = folder.resolve("noise.safetensors");
    SafetensorsWriter.write(file, Map.of("latents", GOLDEN.tensor("latents_init")), Map.of());
    return file;
  }

  private SafetensorsFile latents(TextToVideo model, VideoRequest request) {
    Path file = folder.resolve("steps.safetensors");
    RunOptions run =
        RunOptions.to(folder.resolve("cat.mp4"))
            .withNoise(noise())
            .withSavedLatents(file)
            .withSavedFrames(folder.resolve("frames.safetensors"));
    model.generate(request, run, Progress.NONE);
    return SafetensorsFile.open(file);
  }

  private static void assertSteps(SafetensorsFile saved, String golden, int steps) {
    assertThat(saved.entries()).hasSize(steps + 1);
    for (int step = 0; step < steps; step++) {
      assertThat(
              Golden.maxDifference(
                  saved.tensor("step_00" + step), GOLDEN.tensor(golden).select(0, step)))
          .as("latents after step %d", step)
          .isLessThan(TOLERANCE);
    }
    assertThat(saved.tensor("latents").toFloats())
        .isEqualTo(saved.tensor("step_00" + (steps - 1)).toFloats());
  }

  @Test
  void latentsOfEveryStepAndFramesAreThoseOfTheReference() {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      assertSteps(latents(model, request(model)), "latents_steps", 5);
      Tensor frames = SafetensorsFile.open(folder.resolve("frames.safetensors")).tensor("frames");
      assertThat(frames.shape()).containsExactly(9, 3, 32, 48);
      Tensor reference = GOLDEN.tensor("frames").select(0, 0).permute(0, 3, 1, 2);
      assertThat(Golden.maxDifference(frames, reference)).isLessThan(TOLERANCE);
    }
  }

  @Test
  void eulerWithoutGuidanceIsThatOfTheReference() throws IOException {
    Path checkpoint = copy();
    Files.writeString(
        checkpoint.resolve("scheduler/scheduler_config.json"),
        "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 5.0}");
    try (Scope scope = Scope.open();
        TextToVideo model = open(checkpoint)) {
      VideoRequest request = request(model).withSteps(3).withGuidance(1);
      assertSteps(latents(model, request), "euler_nocfg.latents_steps", 3);
    }
  }

  @Test
  void lowPrecisionStaysNearTheReference() {
    ModelOptions options = ModelOptions.defaults().withThreads(2).withDtype(DType.BFLOAT16);
    try (Scope scope = Scope.open();
        TextToVideo model = TextToVideo.open(CHECKPOINT, options)) {
      Tensor last = latents(model, request(model)).tensor("latents");
      assertThat(last.dtype()).isEqualTo(DType.FLOAT32);
      // models.md: 2 % for one pass of a transformer; five steps with guidance add up.
      assertThat(Golden.relativeError(last, GOLDEN.tensor("latents_steps").select(0, 4)))
          .isBetween(1e-6, 0.1);
    }
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

  @Test
  void promptsAreEncodedAsInTheReference() {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      for (String call : new String[] {"first_call", "second_call"}) {
        String prompt = call.equals("first_call") ? PROMPT : NEGATIVE;
        try (PromptEncoding encoding = model.model().encode(prompt)) {
          Tensor rows = encoding.tensor("rows");
          Tensor reference = GOLDEN.tensor(call + ".encoder_hidden_states");
          long valid = rows.size(1);
          assertThat(Golden.maxDifference(rows, reference.narrow(1, 0, valid))).isLessThan(2e-5);
          assertThat(reference.narrow(1, valid, 512 - valid).abs().amax().item()).isZero();
        }
      }
      assertThat(model.model().encode(PROMPT).tensor("rows").size(1))
          .isEqualTo(GOLDEN.tensor("prompt_ids").count());
    }
  }

  @Test
  void timestepsAreThoseOfTheReference() {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT)) {
      assertThat(model.model().schedule(5).timesteps())
          .containsExactly(
              Arrays.stream(GOLDEN.tensor("timesteps").toLongs()).asDoubleStream().toArray());
    }
  }

  @Test
  void noiseOfASeedIsThatOfPyTorch() {
    try (Scope scope = Scope.open();
        TextToVideo model = open(CHECKPOINT);
        dev.gossamer.tensor.Generator generator = dev.gossamer.tensor.Generator.seeded(42)) {
      Tensor noise = model.model().noise(generator, request(model));
      assertThat(noise.shape()).containsExactly(GOLDEN.tensor("latents_init").shape());
    }
  }
}
