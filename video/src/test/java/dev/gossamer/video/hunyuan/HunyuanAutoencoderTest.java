package dev.gossamer.video.hunyuan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.autoencoder.Tiling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Golden {@code hunyuan_vae}, both ways: whole, in runs of frames, and in tiles as well. */
class HunyuanAutoencoderTest {
  /** float32; the reference differs from itself by 7e-6. */
  private static final double TOLERANCE = 5e-5;

  private static final Golden GOLDEN = Golden.open("/goldens/hunyuan_vae/io.safetensors");
  private static final Path FOLDER = Golden.path("/goldens/hunyuan_pipeline/checkpoint/vae");
  private static final HunyuanAutoencoder MODEL = load(DType.FLOAT32);
  private static final Tiling SMALL_TILES = new Tiling(32, 32, 24, 24, Tiling.Order.BY_TILE);

  @TempDir Path folder;

  private static HunyuanAutoencoder load(DType dtype) {
    return HunyuanAutoencoder.load(
        TensorFiles.in(FOLDER), dtype, Device.CPU, HunyuanAutoencoder.Parts.ENCODER_AND_DECODER);
  }

  @AfterAll
  static void close() {
    MODEL.close();
  }

  private static List<Tensor> chunks(
      HunyuanAutoencoder model, Scope scope, Tensor latents, Tiling tiling) {
    List<Tensor> chunks = new ArrayList<>();
    model.decode(latents, tiling, frames -> chunks.add(scope.adopt(frames.copy())));
    return chunks;
  }

  private static void assertDecodes(String name, Tiling tiling, int frames) {
    try (Scope scope = Scope.open()) {
      Tensor video = Tensor.cat(2, chunks(MODEL, scope, GOLDEN.tensor(name + "z"), tiling));
      assertThat(video.size(2)).isEqualTo(frames);
      assertThat(
              Golden.maxDifference(
                  video.indexSelect(2, GOLDEN.tensor(name + "frames")),
                  GOLDEN.tensor(name + "decoded")))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void fewFramesAreDecodedAtOnce() {
    assertDecodes("", Tiling.OFF, 9);
  }

  @Test
  void manyFramesAreDecodedInRunsThatAreBlended() {
    assertDecodes("temporal.", Tiling.OFF, 33);
  }

  @Test
  void largePicturesAreDecodedInTilesThatAreBlended() {
    assertDecodes("tiled.", SMALL_TILES, 21);
  }

  /** As a card does where there is much to normalise. */
  @Test
  void groupNormsBySumsOfChannelsAgreeWithTheGoldenToo() {
    float[] before = decoded();
    long tensors = Tensor.live();
    GroupNorm.alwaysBySums = true;
    try {
      assertThat(decoded()).isNotEqualTo(before); // or it was done the other way
      assertDecodes("", Tiling.OFF, 9);
      assertDecodes("temporal.", Tiling.OFF, 33);
      assertDecodes("tiled.", SMALL_TILES, 21);
      assertEncodes("", Tiling.OFF);
      assertEncodes("temporal.", Tiling.OFF);
      assertEncodes("tiled.", SMALL_TILES);
    } finally {
      GroupNorm.alwaysBySums = false;
    }
    assertThat(Tensor.live()).isEqualTo(tensors);
  }

  private static float[] decoded() {
    try (Scope scope = Scope.open()) {
      return Tensor.cat(2, chunks(MODEL, scope, GOLDEN.tensor("z"), Tiling.OFF)).toFloats();
    }
  }

  @Test
  void picturesOfOneTileAreNotCut() {
    try (Scope scope = Scope.open()) {
      Tensor z = GOLDEN.tensor("temporal.z");
      assertThat(Tensor.cat(2, chunks(MODEL, scope, z, SMALL_TILES)).toFloats())
          .isEqualTo(Tensor.cat(2, chunks(MODEL, scope, z, Tiling.OFF)).toFloats());
    }
  }

  private static void assertEncodes(String name, Tiling tiling) {
    try (Scope scope = Scope.open()) {
      Tensor moments = MODEL.encode(GOLDEN.tensor(name + "video"), tiling);
      Tensor expected = GOLDEN.tensor(name + "moments");
      assertThat(moments.shape()).isEqualTo(expected.shape());
      assertThat(Golden.maxDifference(moments, expected)).isLessThan(TOLERANCE);
    }
  }

  @Test
  void fewFramesAreEncodedAtOnce() {
    assertEncodes("", Tiling.OFF);
  }

  @Test
  void manyFramesAreEncodedInRunsThatAreBlended() {
    assertEncodes("temporal.", Tiling.OFF);
  }

  @Test
  void largePicturesAreEncodedInTilesThatAreBlended() {
    assertEncodes("tiled.", SMALL_TILES);
  }

  @ParameterizedTest
  @CsvSource({"1,1", "5,2", "16,4", "17,5", "21,6"})
  void everyNumberOfFramesHasItsLatents(int frames, int latentFrames) {
    try (Scope scope = Scope.open()) {
      Tensor video = GOLDEN.tensor("temporal.video").narrow(2, 0, frames);
      assertThat(MODEL.encode(video, Tiling.OFF).size(2)).isEqualTo(latentFrames);
    }
  }

  @Test
  void encodingInLowPrecisionStaysNearTheGolden() {
    try (Scope scope = Scope.open();
        HunyuanAutoencoder model = load(DType.BFLOAT16)) {
      assertThat(
              Golden.relativeError(
                  model.encode(GOLDEN.tensor("video"), Tiling.OFF), GOLDEN.tensor("moments")))
          .isBetween(1e-6, 0.06);
    }
  }

  @Test
  void refusesVideosThatItCannotEncode() {
    try (Scope scope = Scope.open();
        HunyuanAutoencoder decoderOnly =
            HunyuanAutoencoder.load(
                TensorFiles.in(FOLDER),
                DType.FLOAT32,
                Device.CPU,
                HunyuanAutoencoder.Parts.DECODER)) {
      Tensor odd = Tensor.zeros(DType.FLOAT32, 1, 3, 1, 12, 16);
      assertThatThrownBy(() -> MODEL.encode(odd, Tiling.OFF))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("[1, 3, 1, 12, 16]");
      assertThatThrownBy(() -> decoderOnly.encode(GOLDEN.tensor("video"), Tiling.OFF))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("without its encoder");
    }
  }

  /** Every number of latent frames gives its number of frames, none of them twice or missing. */
  @ParameterizedTest
  @CsvSource({"1,1", "4,13", "5,17", "6,21", "7,25", "8,29", "9,33"})
  void framesComeAsTheyAreReady(int latentFrames, int frames) {
    try (Scope scope = Scope.open()) {
      Tensor z = GOLDEN.tensor("temporal.z").narrow(2, 0, latentFrames);
      List<Tensor> chunks = chunks(MODEL, scope, z, Tiling.OFF);
      assertThat(chunks.stream().mapToLong(chunk -> chunk.size(2)).sum()).isEqualTo(frames);
      assertThat(chunks).allMatch(chunk -> chunk.size(2) > 0 && chunk.size(2) <= 13);
    }
  }

  @Test
  void lowPrecisionStaysNearTheGolden() {
    try (Scope scope = Scope.open();
        HunyuanAutoencoder model = load(DType.BFLOAT16)) {
      Tensor video = Tensor.cat(2, chunks(model, scope, GOLDEN.tensor("z"), Tiling.OFF));
      assertThat(
              Golden.relativeError(
                  video.indexSelect(2, GOLDEN.tensor("frames")), GOLDEN.tensor("decoded")))
          .isBetween(1e-6, 0.06);
    }
  }

  @Test
  void leavesNoMemoryBehind() {
    long before = Tensor.live();
    try (Scope scope = Scope.open()) {
      MODEL.decode(GOLDEN.tensor("temporal.z"), SMALL_TILES, frames -> {});
      MODEL.encode(GOLDEN.tensor("temporal.video"), SMALL_TILES);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void refusesLatentsOfAnotherShape() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(
              () -> MODEL.decode(Tensor.zeros(DType.FLOAT32, 1, 3, 1, 2, 2), Tiling.OFF, f -> {}))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("[1, 3, 1, 2, 2]");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "AutoencoderKLHunyuanVideo,AutoencoderKLWan,_class_name",
    "'\"norm_num_groups\": 4','\"norm_num_groups\": 3',block_out_channels",
    "'\"spatial_compression_ratio\": 8','\"spatial_compression_ratio\": 6',spatial_compression"
  })
  void refusesOtherAutoencoders(String before, String after, String named) throws IOException {
    String config = Files.readString(FOLDER.resolve("config.json"));
    assertThat(config).contains(before);
    Path file = folder.resolve("config.json");
    Files.writeString(file, config.replace(before, after));
    assertThatThrownBy(() -> HunyuanAutoencoderConfig.of(ModelConfig.read(file)))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(named);
  }
}
