package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.CostPlan;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoPart;
import dev.gossamer.video.VideoRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WanFamilyTest {
  private static final Path CHECKPOINT = Golden.path("/goldens/wan_pipeline/checkpoint");

  @TempDir Path folder;
  private Path copy;

  @BeforeEach
  void copyCheckpoint() throws IOException {
    copy = folder.resolve("checkpoint");
    try (Stream<Path> files = Files.walk(CHECKPOINT)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(CHECKPOINT.relativize(file).toString()));
      }
    }
  }

  private void edit(String file, String from, String to) throws IOException {
    Path path = copy.resolve(file);
    String text = Files.readString(path);
    assertThat(text).contains(from);
    Files.writeString(path, text.replace(from, to));
  }

  private void assertRefused(String... words) {
    assertThatThrownBy(() -> TextToVideo.open(copy).close())
        .isInstanceOf(BadInputException.class)
        .hasMessageContainingAll(words);
  }

  @Test
  void refusesWan22() throws IOException {
    edit("model_index.json", "\"boundary_ratio\": null", "\"boundary_ratio\": 0.9");
    assertRefused("boundary_ratio", "Wan 2.2");
  }

  @Test
  void refusesASecondTransformer() throws IOException {
    edit(
        "model_index.json",
        "\"transformer_2\": [\n    null,\n    null",
        "\"transformer_2\": [\n    \"diffusers\",\n    \"WanTransformer3DModel\"");
    assertRefused("transformer_2");
  }

  @Test
  void refusesPartsOfDifferentModels() throws IOException {
    edit("transformer/config.json", "\"text_dim\": 32", "\"text_dim\": 64");
    assertRefused("text_dim 64", "d_model is 32", "of one model");
  }

  @Test
  void refusesAMissingPart() throws IOException {
    Files.delete(copy.resolve("scheduler/scheduler_config.json"));
    assertRefused("scheduler_config.json", "no such file");
    edit("model_index.json", "\"scheduler\"", "\"schedule\"");
    assertRefused("has no scheduler");
  }

  @Test
  void refusesAnUnknownScheduler() throws IOException {
    edit("scheduler/scheduler_config.json", "UniPCMultistepScheduler", "DDIMScheduler");
    assertRefused("DDIMScheduler");
  }

  @Test
  void inspectionNamesWhatDoesNotFit() throws IOException {
    edit("transformer/config.json", "\"num_layers\": 2", "\"num_layers\": 3");
    ComponentInspection transformer = new WanFamily().inspect(Checkpoint.open(copy)).get(1);
    assertThat(transformer.problems())
        .isNotEmpty()
        .allMatch(problem -> problem.contains("missing 'blocks.2."));
    assertThatThrownBy(
            () -> {
              try (TextToVideo model = TextToVideo.open(copy)) {
                model.model().load(VideoPart.TRANSFORMER);
              }
            })
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("blocks.2");
  }

  @Test
  void plansScaleWithTheVideo() {
    try (TextToVideo opened = TextToVideo.open(CHECKPOINT)) {
      VideoModel model = opened.model();
      ModelOptions options = opened.options();
      VideoRequest small = opened.request("cat").withSize(64, 64).withFrames(9);
      VideoRequest large = small.withSize(128, 128);
      CostPlan few = model.cost(small);
      CostPlan many = model.cost(large);
      assertThat(many.tokens()).isEqualTo(4 * few.tokens());
      assertThat(many.attentionFlops()).isEqualTo(16 * few.attentionFlops());
      assertThat(model.workBytes(VideoPart.DECODER, large, options))
          .isEqualTo(4 * model.workBytes(VideoPart.DECODER, small, options));
      assertThat(model.cost(small.withGuidance(1)).passes()).isEqualTo(few.passes() / 2);
    }
  }
}
