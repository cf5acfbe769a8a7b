package dev.gossamer.video.cogvideox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.autoencoder.Tiling;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden cogvideox_vae, of whose longer videos every fourth frame; tolerance of its meta.json. */
class CogVideoXAutoencoderTest {
  private static final double TOLERANCE = 5e-5;
  private static final Golden GOLDEN = Golden.open("/goldens/cogvideox_vae/io.safetensors");

  private final Threads threads = new Threads(2);

  @AfterEach
  void stop() {
    threads.close();
  }

  private CogVideoXAutoencoder load(DType dtype, CogVideoXAutoencoder.Parts parts) {
    return CogVideoXAutoencoder.load(
        TensorFiles.in(Golden.path("/goldens/cogvideox_pipeline/checkpoint/vae")),
        dtype,
        Device.CPU,
        parts,
        threads);
  }

  private CogVideoXAutoencoder load() {
    return load(DType.FLOAT32, CogVideoXAutoencoder.Parts.ENCODER_AND_DECODER);
  }

  private static void assertFrames(Tensor frames, String name, int count) {
    assertThat(frames.size(2)).isEqualTo(count);
    assertThat(Golden.maxDifference(frames.every(2, 0, 4), GOLDEN.tensor(name + ".decoded")))
        .isLessThan(TOLERANCE);
  }

  @ParameterizedTest
  @CsvSource({"odd,17", "even,16", "one,1"})
  void decodesAsTheReference(String name, int count) {
    try (Scope scope = Scope.open();
        CogVideoXAutoencoder autoencoder = load()) {
      Tensor frames = autoencoder.decode(GOLDEN.tensor(name + ".z"), CodecOptions.PLAIN);
      assertFrames(frames, name, count);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f9", "f1"})
  void encodesAsTheReference(String name) {
    try (Scope scope = Scope.open();
        CogVideoXAutoencoder autoencoder = load()) {
      Tensor moments = autoencoder.encode(GOLDEN.tensor(name + ".video"), CodecOptions.PLAIN);
      Tensor expected = GOLDEN.tensor(name + ".moments");
      assertThat(moments.shape()).containsExactly(expected.shape());
      assertThat(Golden.maxDifference(moments, expected)).isLessThan(TOLERANCE);
    }
  }

  @ParameterizedTest
  @EnumSource(Tiling.Order.class)
  void decodesInTilesAsTheReference(Tiling.Order order) {
    try (Scope scope = Scope.open();
        CogVideoXAutoencoder autoencoder = load()) {
      Tiling tiles = autoencoder.config().tiling(48, 40);
      Tiling ordered =
          new Tiling(
              tiles.tileHeight(),
              tiles.tileWidth(),
              tiles.strideHeight(),
              tiles.strideWidth(),
              order);
      Tensor frames =
          autoencoder.decode(GOLDEN.tensor("tiled.z"), CodecOptions.PLAIN.withTiling(ordered));
      assertFrames(frames, "tiled", 9);
    }
  }

  /** As many bits on one thread as on several. */
  @Test
  void threadsDoNotChangeTheResult() {
    Tensor[] results = new Tensor[2];
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < 2; i++) {
        try (Threads some = new Threads(1 + 2 * i);
            CogVideoXAutoencoder autoencoder =
                CogVideoXAutoencoder.load(
                    TensorFiles.in(Golden.path("/goldens/cogvideox_pipeline/checkpoint/vae")),
                    DType.FLOAT32,
                    Device.CPU,
                    CogVideoXAutoencoder.Parts.DECODER,
                    some)) {
          results[i] = autoencoder.decode(GOLDEN.tensor("odd.z"), CodecOptions.PLAIN);
        }
      }
      assertThat(Golden.maxDifference(results[0], results[1])).isLessThan(1e-5);
    }
  }

  @Test
  void lowPrecisionStaysNear() {
    try (Scope scope = Scope.open();
        CogVideoXAutoencoder autoencoder =
            load(DType.BFLOAT16, CogVideoXAutoencoder.Parts.DECODER)) {
      Tensor frames = autoencoder.decode(GOLDEN.tensor("odd.z"), CodecOptions.PLAIN);
      assertThat(frames.dtype()).isEqualTo(DType.FLOAT32);
      assertThat(Golden.relativeError(frames.every(2, 0, 4), GOLDEN.tensor("odd.decoded")))
          .isBetween(1e-6, 0.06);
    }
  }

  @Test
  void framesComeChunkByChunkAndNothingStaysBehind() {
    try (Scope scope = Scope.open();
        CogVideoXAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("odd.z");
      long before = Tensor.live();
      for (int round = 0; round < 2; round++) {
        List<Long> frames = new ArrayList<>();
        autoencoder.decode(z, CodecOptions.PLAIN, chunk -> frames.add(chunk.size(2)));
        assertThat(frames).containsExactly(9L, 8L);
        assertThat(Tensor.live()).isEqualTo(before);
      }
    }
  }

  @Test
  void refusesOtherShapesAndEncodingWithoutEncoder() {
    try (Scope scope = Scope.open();
        CogVideoXAutoencoder autoencoder =
            load(DType.FLOAT32, CogVideoXAutoencoder.Parts.DECODER)) {
      Tensor video = GOLDEN.tensor("f1.video");
      assertThatThrownBy(() -> autoencoder.decode(video, CodecOptions.PLAIN))
          .isInstanceOf(BadInputException.class);
      assertThatThrownBy(() -> autoencoder.encode(video, CodecOptions.PLAIN))
          .isInstanceOf(UsageException.class);
    }
  }

  @Test
  void asksForTheTensorsOfTheReleasedModels() throws IOException {
    Map<String, List<Long>> shapes =
        new ObjectMapper()
            .readValue(
                Golden.path("/goldens/param_shapes/cogvideox_vae.json").toFile(),
                new TypeReference<>() {});
    CogVideoXAutoencoderConfig released =
        new CogVideoXAutoencoderConfig(
            List.of(128, 256, 256, 512), 16, 3, 32, 1e-6, 4, 1.15258426, 480, 720);
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      CogVideoXAutoencoder.inspect(released, parameters);
      assertThat(parameters.asked()).containsExactlyInAnyOrderEntriesOf(shapes);
      assertThat(parameters.count()).isEqualTo(215_583_907L);
      assertThat(released.tiling()).isEqualTo(new Tiling(240, 360, 200, 288, Tiling.Order.BY_TILE));
    }
  }
}
