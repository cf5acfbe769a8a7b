package dev.gossamer.video.hunyuan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.CostPlan;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.Progress;
import dev.gossamer.video.RunOptions;
import dev.gossamer.video.RunReport;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoPart;
import dev.gossamer.video.VideoRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tiny checkpoint of golden {@code hunyuan_pipeline}, with the released model's template. */
class HunyuanFamilyTest {
  private static final Path CHECKPOINT = Golden.path("/goldens/hunyuan_pipeline/checkpoint");
  private static final TextToVideo MODEL =
      TextToVideo.open(CHECKPOINT, ModelOptions.defaults().withThreads(1));

  @TempDir Path folder;

  @AfterAll
  static void close() {
    MODEL.close();
  }

  private static VideoRequest request() {
    return MODEL.request("a cat").withFrames(9).withSize(48, 32).withSteps(2);
  }

  private RunReport generate(VideoRequest request) {
    return MODEL
        .generate(request, RunOptions.to(folder.resolve("cat.mp4")), Progress.NONE)
        .report();
  }

  @Test
  void isRecognisedByItsIndex() {
    assertThat(TextToVideo.family(Checkpoint.open(CHECKPOINT))).isInstanceOf(HunyuanFamily.class);
    assertThat(MODEL.model().name())
        .isEqualTo("HunyuanVideo text-to-video, 2 + 2 layers of 2 heads of 16");
    assertThat(MODEL.model().defaults().guidance()).isEqualTo(6);
  }

  @ParameterizedTest
  @CsvSource({"dense,false", "adacluster,true", "svg2,true", "sparge,true"})
  void makesAVideoWithEveryAttention(String method, boolean sparse) {
    AttentionOptions options = AttentionOptions.defaults();
    if (sparse) {
      options = options.withSetting("minTokens", "1").withSetting("denseSteps", "0");
    }
    VideoRequest request =
        request().withSize(96, 96).withAttention(AttentionCatalog.create(method, options));
    RunReport report = generate(request);
    assertThat(report.framesSha256()).hasSize(64);
    if (sparse) {
      assertThat(report.attention().density()).isLessThan(1);
    } else {
      assertThat(report.attention().density()).isEqualTo(1);
    }
  }

  @Test
  void sameRequestGivesTheSameFrames() {
    assertThat(generate(request()).framesSha256()).isEqualTo(generate(request()).framesSha256());
  }

  /** The guidance is an input of the model, not a second pass. */
  @Test
  void guidanceChangesTheVideoAndNotItsCost() {
    VideoRequest other = request().withGuidance(2);
    assertThat(generate(other).framesSha256()).isNotEqualTo(generate(request()).framesSha256());
    assertThat(MODEL.cost(other).passes()).isEqualTo(2);
    assertThat(MODEL.cost(request()).passes()).isEqualTo(2);
  }

  @Test
  void refusesANegativePrompt() {
    assertThatThrownBy(() -> MODEL.cost(request().withNegative("blurry")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("negative prompt");
  }

  @Test
  void plansScaleWithTheVideo() {
    VideoModel model = MODEL.model();
    VideoRequest small = request().withSize(256, 256).withFrames(17);
    VideoRequest large = small.withSize(512, 512);
    CostPlan few = model.cost(small);
    CostPlan many = model.cost(large);
    assertThat(few.tokens()).isEqualTo(5 * 16 * 16);
    assertThat(many.tokens()).isEqualTo(4 * few.tokens());
    assertThat(many.attentionFlops()).isGreaterThan(4 * few.attentionFlops());
    assertThat(many.passFlops()).isGreaterThan(many.attentionFlops());
    ModelOptions options = MODEL.options();
    assertThat(model.workBytes(VideoPart.DECODER, large, options))
        .isEqualTo(4 * model.workBytes(VideoPart.DECODER, small, options));
    assertThat(
            model.workBytes(
                VideoPart.DECODER, large, options.withTiles(dev.gossamer.video.Tiles.ON)))
        .isLessThan(model.workBytes(VideoPart.DECODER, large, options));
    assertThat(model.workBytes(VideoPart.DECODER, small.withFrames(65), options))
        .isEqualTo(model.workBytes(VideoPart.DECODER, small, options));
    assertThat(model.weightBytes(VideoPart.TRANSFORMER, options.withDtype(DType.BFLOAT16)) * 2)
        .isEqualTo(model.weightBytes(VideoPart.TRANSFORMER, options));
  }

  @Test
  void closingFreesEverything() {
    long before = Tensor.live();
    try (TextToVideo model = TextToVideo.open(CHECKPOINT, ModelOptions.defaults().withThreads(1))) {
      model.generate(request(), RunOptions.to(folder.resolve("cat.mp4")), Progress.NONE);
      assertThat(Tensor.live()).isGreaterThan(before);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void inspectionFindsEveryPartSound() {
    List<ComponentInspection> parts = new HunyuanFamily().inspect(Checkpoint.open(CHECKPOINT));
    assertThat(parts)
        .extracting(ComponentInspection::name)
        .containsExactly("text_encoder", "text_encoder_2", "transformer", "vae");
    assertThat(parts).allMatch(part -> part.problems().isEmpty());
  }

  private Path copy() throws IOException {
    Path copy = folder.resolve("checkpoint");
    try (Stream<Path> files = Files.walk(CHECKPOINT)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(CHECKPOINT.relativize(file).toString()));
      }
    }
    return copy;
  }

  @ParameterizedTest
  @CsvSource({
    "transformer/config.json,'\"num_single_layers\": 2','\"num_single_layers\": 3',"
        + "single_transformer_blocks.2",
    "transformer/config.json,'\"text_embed_dim\": 24','\"text_embed_dim\": 32',of one model",
    "transformer/config.json,'\"pooled_projection_dim\": 20','\"pooled_projection_dim\": 8',"
        + "of one model",
    "scheduler/scheduler_config.json,FlowMatchEulerDiscreteScheduler,UniPCMultistepScheduler,"
        + "scheduler_config.json",
    "text_encoder/config.json,'\"model_type\": \"llama\"','\"model_type\": \"mistral\"',llama"
  })
  void refusesWhatDoesNotFit(String file, String before, String after, String named)
      throws IOException {
    Path copy = copy();
    String text = Files.readString(copy.resolve(file));
    assertThat(text).contains(before);
    Files.writeString(copy.resolve(file), text.replace(before, after));
    assertThatThrownBy(() -> TextToVideo.open(copy).close())
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(named);
  }
}
