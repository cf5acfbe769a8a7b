package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.CheckpointSource;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.Denoiser;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.Progress;
import dev.gossamer.video.PromptEncoding;
import dev.gossamer.video.Replay;
import dev.gossamer.video.RunOptions;
import dev.gossamer.video.RunReport;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Png;
import dev.gossamer.video.media.Resampling;
import dev.gossamer.video.media.VideoFile;
import dev.gossamer.video.text.ClipVisionConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tiny image-to-video checkpoint of the parts of goldens wan_pipeline and wan_i2v. */
class WanImageToVideoTest {
  private static final Path TEXT_ONLY = Golden.path("/goldens/wan_pipeline/checkpoint");
  private static final Path PICTURE = Golden.path("/goldens/wan_i2v/picture.png");
  private static final Golden GOLDEN = Golden.open("/goldens/wan_i2v/io.safetensors");

  @TempDir static Path checkpoint;
  @TempDir Path temp;

  @BeforeAll
  static void make() throws IOException {
    for (String part : new String[] {"text_encoder", "tokenizer", "vae", "scheduler"}) {
      copy(TEXT_ONLY.resolve(part), checkpoint.resolve(part));
    }
    ImageGolden.transformer(checkpoint.resolve("transformer"));
    copy(PICTURE.resolveSibling("image_encoder"), checkpoint.resolve("image_encoder"));
    ObjectMapper json = new ObjectMapper();
    ObjectNode index = (ObjectNode) json.readTree(TEXT_ONLY.resolve("model_index.json").toFile());
    index.put("_class_name", "WanImageToVideoPipeline");
    index.putArray("image_encoder").add("transformers").add("CLIPVisionModel");
    json.writeValue(checkpoint.resolve("model_index.json").toFile(), index);
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName().toString()));
      }
    }
  }

  private static TextToVideo open() {
    return TextToVideo.open(checkpoint, ModelOptions.defaults().withThreads(2));
  }

  private static VideoRequest request(TextToVideo model, Path image) {
    return model
        .request("a cat")
        .withImage(image)
        .withFrames(9)
        .withSize(48, 32)
        .withSteps(2)
        .withGuidance(3);
  }

  @Test
  void pixelsAreThoseOfTheImageProcessor() {
    WanImage.Configs configs =
        new WanImage.Configs(
            ClipVisionConfig.read(
                ModelConfig.read(checkpoint.resolve("image_encoder/config.json"))),
            List.of(0.48145466, 0.4578275, 0.40821073),
            List.of(0.26862954, 0.26130258, 0.27577711));
    try (Scope scope = Scope.open()) {
      assertPixels(VideoFile.firstFrame(PICTURE), configs, "pixels");
      for (String shape : new String[] {"tall", "small"}) {
        Tensor picture = GOLDEN.tensor(shape + ".picture");
        byte[] rgb = new byte[(int) picture.count()];
        picture.memory().get(rgb);
        Frame frame = new Frame((int) picture.size(1), (int) picture.size(0), rgb);
        assertPixels(frame, configs, shape + ".pixels");
      }
    }
  }

  private static void assertPixels(Frame frame, WanImage.Configs configs, String golden) {
    assertThat(Golden.maxDifference(WanImage.pixels(frame, configs), GOLDEN.tensor(golden)))
        .isLessThan(1e-6);
  }

  @Test
  void theConditionIsAMaskAndTheLatentsOfThePictureAndThenGrey() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        TextToVideo model = open();
        WanAutoencoder autoencoder =
            WanAutoencoder.load(
                TensorFiles.in(checkpoint.resolve("vae")),
                WanAutoencoderConfig.of(ModelConfig.read(checkpoint.resolve("vae/config.json"))),
                DType.FLOAT32,
                Device.CPU,
                WanAutoencoder.Parts.ENCODER_AND_DECODER,
                threads)) {
      Frame picture = Resampling.LANCZOS.cover(VideoFile.firstFrame(PICTURE), 48, 32);
      float[] video = new float[3 * 9 * 32 * 48];
      for (int colour = 0; colour < 3; colour++) {
        for (int y = 0; y < 32; y++) {
          for (int x = 0; x < 48; x++) {
            int value = picture.pixel(x, y) >> (16 - 8 * colour) & 0xff;
            video[(colour * 9 * 32 + y) * 48 + x] = value / 255f * 2 - 1;
          }
        }
      }
      Tensor moments = autoencoder.encode(Tensor.of(video, 1, 3, 9, 32, 48), CodecOptions.PLAIN);
      Tensor latents = autoencoder.normalise(moments.narrow(1, 0, 4));
      try (PromptEncoding seen = model.model().encodeImage(picture, request(model, PICTURE))) {
        Tensor condition = seen.tensor("condition");
        assertThat(condition.shape()).containsExactly(1, 8, 3, 4, 6);
        assertThat(Golden.maxDifference(condition.narrow(1, 4, 4), latents)).isLessThan(1e-5);
        float[] mask = condition.narrow(1, 0, 4).contiguous().toFloats();
        for (int i = 0; i < mask.length; i++) {
          assertThat(mask[i]).isEqualTo(i / 24 % 3 == 0 ? 1 : 0); // [4, 3, 4 x 6]
        }
        assertThat(seen.tensor("rows").shape()).containsExactly(1, 17, 32);
        assertDenoiserSeesBoth(model, seen);
      }
    }
  }

  /** The transformer gets the latents and then the condition, and the rows of the picture. */
  private static void assertDenoiserSeesBoth(TextToVideo opened, PromptEncoding seen) {
    VideoModel model = opened.model();
    VideoRequest request = request(opened, PICTURE).withGuidance(1);
    AttentionPlan plan =
        new AttentionPlan(2, 1, 2, model.tokens(request), 0, Set.of(), AttentionPlan.FEW_ROWS);
    try (Threads threads = new Threads(1);
        AttentionSession session = new DenseAttention().open(plan, threads);
        WanTransformer transformer =
            WanTransformer.load(
                TensorFiles.in(checkpoint.resolve("transformer")), DType.FLOAT32, Device.CPU);
        PromptEncoding prompt = model.encode("a cat");
        Denoiser denoiser = model.denoiser(request, List.of(prompt), Optional.of(seen), session)) {
      Tensor latents = GOLDEN.tensor("hidden_states").narrow(1, 0, 4).contiguous();
      Tensor rows = prompt.tensor("rows");
      int valid = (int) rows.size(1);
      try (TextContext text =
          transformer.prepare(
              rows.pad(0, 0, 0, 0, 512 - valid), valid, Optional.of(seen.tensor("rows")))) {
        Tensor expected =
            transformer.predict(
                Tensor.cat(1, latents, seen.tensor("condition")), 500, text, session, 0, 0);
        assertThat(denoiser.predict(latents, 500, 0, 0).toFloats()).isEqualTo(expected.toFloats());
      }
    }
  }

  @Test
  void aVideoFollowsItsPictureAndReplays() throws IOException {
    Path other = temp.resolve("other.png");
    byte[] grey = new byte[3 * 50 * 40];
    java.util.Arrays.fill(grey, (byte) 90);
    Png.write(other, new Frame(50, 40, grey));
    try (TextToVideo model = open()) {
      RunReport report = make(model, PICTURE);
      assertThat(report.settings().image()).isEqualTo(PICTURE.toString());
      assertThat(report.seconds()).containsKey("image");
      assertThat(make(model, other).framesSha256()).isNotEqualTo(report.framesSha256());
      assertThat(make(model, PICTURE).framesSha256()).isEqualTo(report.framesSha256());
      Replay replay = Replay.read(temp.resolve("cat.json"));
      assertThat(replay.request().image()).contains(PICTURE);
      assertThat(replay.replay(model, temp.resolve("again.mp4"), Progress.NONE).sameVideo())
          .isTrue();
    }
  }

  private RunReport make(TextToVideo model, Path image) {
    return model
        .generate(request(model, image), RunOptions.to(temp.resolve("cat.mp4")), Progress.NONE)
        .report();
  }

  @Test
  void theFrameTakesThePicturesShape() {
    try (TextToVideo model = open()) {
      VideoRequest request = model.request("a cat", PICTURE); // 67 x 45, area of 256 x 256
      assertThat(request.width()).isEqualTo(304);
      assertThat(request.height()).isEqualTo(208);
    }
  }

  @Test
  void singleFilesMakeTheSameVideo() {
    CheckpointSource source =
        new CheckpointSource(
            Optional.empty(),
            Map.of(
                "transformer", checkpoint.resolve("transformer"),
                "text_encoder", checkpoint.resolve("text_encoder"),
                "vae", checkpoint.resolve("vae"),
                "image_encoder", checkpoint.resolve("image_encoder"),
                "tokenizer", checkpoint.resolve("tokenizer")));
    try (TextToVideo model = open();
        TextToVideo loose = TextToVideo.open(source, model.options())) {
      assertThat(make(loose, PICTURE).framesSha256())
          .isEqualTo(make(model, PICTURE).framesSha256());
    }
    Checkpoint opened = Checkpoint.open(source);
    assertThat(TextToVideo.family(opened).inspect(opened))
        .extracting(ComponentInspection::name)
        .contains("image_encoder");
  }

  @Test
  void imagesAndModelsHaveToFitEachOther() throws IOException {
    try (TextToVideo text = TextToVideo.open(TEXT_ONLY)) {
      assertThatThrownBy(() -> text.cost(request(text, PICTURE)))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("text-to-video")
          .hasMessageContaining("takes no image");
    }
    Path noPicture = Files.writeString(temp.resolve("x.png"), "no picture");
    try (TextToVideo model = open()) {
      assertThatThrownBy(() -> model.cost(model.request("a cat")))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("--image");
      for (Path wrong : new Path[] {noPicture, temp, temp.resolve("none.png")}) {
        assertThatThrownBy(() -> model.cost(request(model, wrong)))
            .isInstanceOf(BadInputException.class)
            .hasMessageContaining("" + wrong);
      }
    }
    CheckpointSource mixed =
        new CheckpointSource(
            Optional.of(TEXT_ONLY), Map.of("transformer", checkpoint.resolve("transformer")));
    assertThatThrownBy(() -> TextToVideo.open(mixed, ModelOptions.defaults()))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("Its transformer is one of image-to-video");
  }
}
