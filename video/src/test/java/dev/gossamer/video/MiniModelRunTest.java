package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Golden {@code mini}: the shipped small model, run by diffusers' WanPipeline on an H100. */
class MiniModelRunTest {
  /** Guidance 5 over 8 steps carries the devices' rounding on; latents reach about 4. */
  private static final double TOLERANCE = 5e-3;

  private static final int[] KEPT = {0, 1, 2, 3, 4, 8, 16, 24, 32};
  private static final int[] KEPT_STEPS = {0, 2, 4, 6, 7};
  private static final Golden GOLDEN = Golden.open("/goldens/mini/io.safetensors");
  private static final TextToVideo MODEL = TextToVideo.open(MiniModel.folder());

  @TempDir Path folder;

  @AfterAll
  static void close() {
    MODEL.close();
  }

  @ParameterizedTest
  @Tag("slow")
  @CsvSource({"0, a cat bounces on a blue background", "1, a big red balloon rises on a night sky"})
  void drawsWhatTheReferenceDraws(int index, String prompt) {
    Path noise = folder.resolve("noise.safetensors");
    Path latents = folder.resolve("latents.safetensors");
    Path frames = folder.resolve("frames.safetensors");
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(noise, Map.of("latents", GOLDEN.tensor(index + ".noise")), Map.of());
      VideoRequest request = MODEL.request(prompt).withSize(128, 128).withSteps(8).withGuidance(5);
      RunOptions run =
          RunOptions.to(folder.resolve("cat.mp4"))
              .withNoise(noise)
              .withSavedLatents(latents)
              .withSavedFrames(frames);
      MODEL.generate(request, run, Progress.NONE);
      SafetensorsFile saved = SafetensorsFile.open(latents);
      for (int step : KEPT_STEPS) {
        double difference =
            Golden.maxDifference(
                saved.tensor("step_00" + step), GOLDEN.tensor(index + ".latents." + (step + 1)));
        assertThat(difference).as("latents after step %d", step).isLessThan(TOLERANCE);
      }
      Tensor drawn = SafetensorsFile.open(frames).tensor("frames");
      Tensor reference = GOLDEN.tensor(index + ".frames");
      for (int i = 0; i < KEPT.length; i++) {
        Tensor frame = drawn.select(0, KEPT[i]).permute(1, 2, 0).mul(255).round();
        double difference = Golden.maxDifference(frame, reference.select(0, i).to(DType.FLOAT32));
        assertThat(difference).as("frame %d in 255ths", KEPT[i]).isLessThanOrEqualTo(2);
      }
    }
  }

  @Test
  void promptsAreEncodedAsInTheReference() {
    try (Scope scope = Scope.open()) {
      assertRows("a cat bounces on a blue background", "0.prompt_embeds");
      assertRows("a big red balloon rises on a night sky", "1.prompt_embeds");
      assertRows("", "negative_embeds");
    }
  }

  private static void assertRows(String prompt, String golden) {
    try (PromptEncoding encoding = MODEL.model().encode(prompt)) {
      Tensor rows = encoding.tensor("rows").select(0, 0);
      Tensor reference = GOLDEN.tensor(golden);
      assertThat(rows.shape()).containsExactly(reference.shape());
      assertThat(Golden.maxDifference(rows, reference)).isLessThan(2e-5);
    }
  }

  @Test
  void countsTheOperationsThatItsPageCounts() {
    VideoRequest request = MODEL.request("a cat").withSize(128, 128);
    CostPlan cost = MODEL.cost(request);
    assertThat(cost.tokens()).isEqualTo(576);
    assertThat(cost.passFlops()).isCloseTo(13.6e9, within(0.1e9));
    assertThat(cost.decodeFlops()).isCloseTo(272e9, within(3e9));
    assertThat(cost.passes()).isEqualTo(40);
  }

  @Test
  void hasTheSmallModelsDefaults() {
    VideoRequest request = MODEL.request("a cat");
    assertThat(request.frames()).isEqualTo(33);
    assertThat(request.width()).isEqualTo(256);
    assertThat(request.steps()).isEqualTo(20);
    assertThat(request.guidance()).isEqualTo(4);
    assertThat(MODEL.cost(request).tokens()).isEqualTo(2304);
  }
}
