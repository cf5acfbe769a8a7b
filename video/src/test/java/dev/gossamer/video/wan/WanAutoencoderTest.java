package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.libtorch.Libtorch;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.autoencoder.FeatureCache;
import dev.gossamer.video.autoencoder.Tiling;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Golden {@code wan_vae}: computed by diffusers with the random weights of the tiny checkpoint of
 * {@code wan_pipeline}.
 */
class WanAutoencoderTest {
  /** Ten times the deviation of the reference from itself on another machine. */
  private static final double TOLERANCE = 5e-5;

  private static final Golden GOLDEN = Golden.open("/goldens/wan_vae/io.safetensors");

  private final Threads threads = new Threads(2);
  private int threadsBefore;

  /** On pictures as small as these, libtorch's own threads would mostly wait for each other. */
  @BeforeEach
  void useOneThreadInside() {
    threadsBefore = Libtorch.intraOpThreads();
    Libtorch.intraOpThreads(1);
  }

  @AfterEach
  void stopThreads() {
    threads.close();
    Libtorch.intraOpThreads(threadsBefore);
  }

  private WanAutoencoder load(DType dtype, WanAutoencoder.Parts parts) {
    Path folder = Golden.path("/goldens/wan_pipeline/checkpoint/vae");
    return WanAutoencoder.load(
        TensorFiles.in(folder),
        WanAutoencoderConfig.of(ModelConfig.read(folder.resolve("config.json"))),
        dtype,
        Device.CPU,
        parts,
        threads);
  }

  private WanAutoencoder load() {
    return load(DType.FLOAT32, WanAutoencoder.Parts.ENCODER_AND_DECODER);
  }

  private static CodecOptions tiled(Tiling.Order order) {
    return CodecOptions.PLAIN.withTiling(new Tiling(32, 40, 16, 24, order));
  }

  @Test
  void decodesTheGoldenLatents() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor frames = autoencoder.decode(GOLDEN.tensor("z"), CodecOptions.PLAIN);
      assertThat(frames.shape()).containsExactly(1, 3, 13, 32, 40);
      assertThat(Golden.maxDifference(frames, GOLDEN.tensor("decoded"))).isLessThan(TOLERANCE);
    }
  }

  @Test
  void decodesBeforeClampingAsTheGolden() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load();
        FeatureCache cache = new FeatureCache()) {
      Tensor z = GOLDEN.tensor("z");
      Tensor expected = GOLDEN.tensor("decoded_unclamped");
      long next = 0;
      for (long i = 0; i < z.size(2); i++) {
        Tensor frames = autoencoder.decoder().decode(z.narrow(2, i, 1), cache);
        Tensor golden = expected.narrow(2, next, frames.size(2));
        assertThat(Golden.maxDifference(frames, golden)).as("chunk %d", i).isLessThan(TOLERANCE);
        next += frames.size(2);
      }
      assertThat(next).isEqualTo(13);
    }
  }

  @Test
  void decodesABatchOfSingleFrames() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor frames = autoencoder.decode(GOLDEN.tensor("z_single"), CodecOptions.PLAIN);
      assertThat(Golden.maxDifference(frames, GOLDEN.tensor("decoded_single")))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void decodesEachVideoOfABatchAsAlone() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("z");
      Tensor both = autoencoder.decode(Tensor.cat(0, z.flip(3), z), CodecOptions.PLAIN);
      assertThat(Golden.maxDifference(both.narrow(0, 1, 1), GOLDEN.tensor("decoded")))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void encodesTheGoldenVideo() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor moments = autoencoder.encode(GOLDEN.tensor("video"), CodecOptions.PLAIN);
      assertThat(Golden.maxDifference(moments, GOLDEN.tensor("moments"))).isLessThan(TOLERANCE);
      assertThat(Golden.maxDifference(WanAutoencoder.mode(moments), GOLDEN.tensor("mode")))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void leavesOutFramesThatFillNoGroupWhenEncoding() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor video = GOLDEN.tensor("video");
      Tensor longer = Tensor.cat(2, video, video.narrow(2, 0, 3));
      Tensor moments = autoencoder.encode(longer, CodecOptions.PLAIN);
      assertThat(Golden.maxDifference(moments, GOLDEN.tensor("moments"))).isLessThan(TOLERANCE);
    }
  }

  @ParameterizedTest
  @EnumSource
  void decodesTilesAsTheGoldenInEitherOrder(Tiling.Order order) {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor frames = autoencoder.decode(GOLDEN.tensor("z_tiled"), tiled(order));
      assertThat(Golden.maxDifference(frames, GOLDEN.tensor("decoded_tiled")))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void encodesTilesAsTheGolden() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor moments =
          autoencoder.encode(GOLDEN.tensor("video_tiled"), tiled(Tiling.Order.BY_TILE));
      assertThat(Golden.maxDifference(moments, GOLDEN.tensor("moments_tiled")))
          .isLessThan(TOLERANCE);
    }
  }

  @ParameterizedTest
  @EnumSource
  void givesTheSameFramesForManyChunksInEitherOrder(Tiling.Order order) {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("z_tiled").repeat(1, 1, 3, 1, 1);
      Tensor byChunk = autoencoder.decode(z, tiled(Tiling.Order.BY_CHUNK));
      assertThat(Golden.maxDifference(autoencoder.decode(z, tiled(order)), byChunk)).isZero();
    }
  }

  @Test
  void bfloat16StaysNearTheGolden() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder =
            load(DType.BFLOAT16, WanAutoencoder.Parts.ENCODER_AND_DECODER)) {
      Tensor frames = autoencoder.decode(GOLDEN.tensor("z"), CodecOptions.PLAIN);
      assertThat(frames.dtype()).isEqualTo(DType.FLOAT32);
      assertThat(Golden.relativeError(frames, GOLDEN.tensor("decoded"))).isLessThan(0.06);
      Tensor moments = autoencoder.encode(GOLDEN.tensor("video"), CodecOptions.PLAIN);
      assertThat(Golden.relativeError(moments, GOLDEN.tensor("moments"))).isLessThan(0.06);
    }
  }

  @Test
  void handsOverOneFrameAndThenFourForEachLatent() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      List<Long> frames = new ArrayList<>();
      List<String> progress = new ArrayList<>();
      autoencoder.decode(
          GOLDEN.tensor("z"),
          CodecOptions.PLAIN.withProgress((done, total) -> progress.add(done + "/" + total)),
          chunk -> frames.add(chunk.size(2)));
      assertThat(frames).containsExactly(1L, 4L, 4L, 4L);
      assertThat(progress).containsExactly("1/4", "2/4", "3/4", "4/4");
    }
  }

  @Test
  void leavesNoTensorBehind() {
    long before = Tensor.live();
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("z_tiled");
      Tensor video = GOLDEN.tensor("video_tiled");
      long loaded = Tensor.live();
      autoencoder.decode(z, CodecOptions.PLAIN, chunk -> {});
      autoencoder.decode(z, tiled(Tiling.Order.BY_CHUNK), chunk -> {});
      autoencoder.decode(z, tiled(Tiling.Order.BY_TILE), chunk -> {});
      try (Scope results = Scope.open()) {
        autoencoder.encode(video, CodecOptions.PLAIN);
        autoencoder.encode(video, tiled(Tiling.Order.BY_TILE));
      }
      assertThat(Tensor.live()).isEqualTo(loaded);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void holdsAsManyTensorsForLongVideosAsForShortOnes() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("z_tiled").repeat(1, 1, 4, 1, 1);
      for (CodecOptions options : List.of(CodecOptions.PLAIN, tiled(Tiling.Order.BY_CHUNK))) {
        List<Long> live = new ArrayList<>();
        autoencoder.decode(z, options, chunk -> live.add(Tensor.live()));
        assertThat(live).hasSize(8);
        assertThat(live.subList(2, 8)).containsOnly(live.get(2));
      }
    }
  }

  @Test
  void stopsBeforeTheNextChunkWhenCancelledAndFreesEverything() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("z");
      AtomicInteger chunks = new AtomicInteger();
      CodecOptions options = CodecOptions.PLAIN.withCancelled(() -> chunks.get() == 2);
      long before = Tensor.live();
      assertThatThrownBy(() -> autoencoder.decode(z, options, chunk -> chunks.incrementAndGet()))
          .isInstanceOf(InterruptedRunException.class)
          .hasMessage("Stopped decoding after 2 of 4 chunks");
      assertThat(Tensor.live()).isEqualTo(before);
    }
  }

  @Test
  void endsWithTheFailureOfTheSinkAndFreesEverything() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor z = GOLDEN.tensor("z_tiled");
      long before = Tensor.live();
      for (Tiling.Order order : Tiling.Order.values()) {
        assertThatThrownBy(
                () ->
                    autoencoder.decode(
                        z,
                        tiled(order),
                        chunk -> {
                          throw new IllegalStateException("disk full");
                        }))
            .hasMessage("disk full");
        assertThat(Tensor.live()).isEqualTo(before);
      }
    }
  }

  @Test
  void normalisesAndBack() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor latents = Tensor.of(new float[] {1, 2, 3, 4}, 1, 4, 1, 1, 1);
      Tensor normal = autoencoder.normalise(latents);
      assertThat(normal.toFloats())
          .containsExactly(
              new float[] {0.9f / 1.5f, 2.2f / 0.8f, 2.7f / 2, 4.4f / 1.1f},
              org.assertj.core.api.Assertions.within(1e-6f));
      assertThat(Golden.maxDifference(autoencoder.denormalise(normal), latents)).isLessThan(1e-6);
    }
  }

  @Test
  void refusesToEncodeWithoutTheEncoder() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load(DType.FLOAT32, WanAutoencoder.Parts.DECODER)) {
      Tensor video = GOLDEN.tensor("video");
      assertThatThrownBy(() -> autoencoder.encode(video, CodecOptions.PLAIN))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("without its encoder");
    }
  }

  @Test
  void refusesTensorsOfAnotherShape() {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder = load()) {
      Tensor latents = Tensor.zeros(DType.FLOAT32, 1, 16, 1, 4, 4);
      assertThatThrownBy(() -> autoencoder.decode(latents, CodecOptions.PLAIN))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("[1, 16, 1, 4, 4]")
          .hasMessageContaining("[batch, 4,");
      Tensor video = Tensor.zeros(DType.FLOAT32, 1, 3, 1, 20, 16);
      assertThatThrownBy(() -> autoencoder.encode(video, CodecOptions.PLAIN))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("[1, 3, 1, 20, 16]");
    }
  }
}
