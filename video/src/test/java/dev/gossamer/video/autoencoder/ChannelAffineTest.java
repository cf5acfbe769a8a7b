package dev.gossamer.video.autoencoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against group norm and silu in float64; strips of a card with those of a processor. */
class ChannelAffineTest {
  private static final double EPS = 1e-6;
  private static final int GROUPS = 4;
  private static final RowBands BANDS = new RowBands(new Threads(1));

  /** Chunks, and strips of fewer numbers than a frame, of some frames, of more than the chunk. */
  @ParameterizedTest
  @CsvSource({
    "1,12,5,7,9,500,false",
    "1,12,5,7,9,500,true",
    "2,12,5,7,9,2000,false",
    "2,12,5,7,9,2000,true",
    "3,8,1,1,2,1,true",
    "2,8,17,3,5,1,true",
    "2,20,4,6,11,1000000,true"
  })
  void isGroupNormAndSilu(
      int videos, int channels, int frames, int height, int width, long numbers, boolean joined) {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(7)) {
      Strips strips = new Strips(numbers, joined);
      Tensor chunk = random.normal(videos, channels, frames, height, width).add(1);
      for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
        Tensor weight = random.normal(channels).to(dtype);
        Tensor bias = random.normal(channels).to(dtype);
        Tensor plain = chunk.to(dtype);
        Tensor expected = expected(plain, weight, bias);
        for (Tensor x : new Tensor[] {plain, plain.channelsLast()}) {
          Tensor to = interior(x);
          ChannelAffine.of(x, GROUPS, weight, bias, EPS, BANDS, strips).activate(to, x, strips);
          assertThat(Golden.relativeError(to, expected)).isLessThan(1e-6);
        }
      }
    }
  }

  /** Statistics of the pixels of a card's strip, around a mean that is large for their spread. */
  @Test
  void spreadIsFoundBesideALargeMean() {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(8)) {
      Tensor x = random.normal(1, 16, 9, 96, 96).add(30).to(DType.BFLOAT16).channelsLast();
      Tensor weight = Tensor.full(1, DType.BFLOAT16, 16);
      Tensor bias = Tensor.zeros(DType.BFLOAT16, 16);
      Tensor to = interior(x);
      Strips strips = new Strips(1 << 26, true);
      ChannelAffine.of(x, GROUPS, weight, bias, EPS, BANDS, strips).activate(to, x, strips);
      assertThat(Golden.relativeError(to, expected(x, weight, bias))).isLessThan(1e-4);
    }
  }

  /** The mean of the squares is less than the square of the mean then, or more, by rounding. */
  @ParameterizedTest
  @ValueSource(doubles = {0, 30.1, 30.2, 30.3, 30.4, -77.7})
  void equalNumbersBecomeTheBias(double number) {
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.full(number, DType.FLOAT32, 1, 8, 3, 5, 5).channelsLast();
      Tensor bias = Tensor.arange(8, DType.FLOAT32, Device.CPU);
      Tensor to = interior(x);
      ChannelAffine.of(x, GROUPS, Tensor.full(1, DType.FLOAT32, 8), bias, EPS, BANDS)
          .activate(to, x);
      Tensor expected = bias.silu().reshape(1, 8, 1, 1, 1).expand(x.shape());
      assertThat(Golden.maxDifference(to, expected)).isLessThan(0.01);
    }
  }

  /** What a convolution's edges leave free of its input, as float32. */
  private static Tensor interior(Tensor x) {
    return Activations.empty(
            x.size(0),
            x.size(1),
            x.size(2) + 2,
            x.size(3) + 2,
            x.size(4) + 2,
            DType.FLOAT32,
            Device.CPU)
        .narrow(2, 2, x.size(2))
        .narrow(3, 1, x.size(3))
        .narrow(4, 1, x.size(4));
  }

  private static Tensor expected(Tensor x, Tensor weight, Tensor bias) {
    long videos = x.size(0);
    long channels = x.size(1);
    Tensor wide = x.contiguous().to(DType.FLOAT64).reshape(videos, GROUPS, -1);
    Tensor centred = wide.sub(wide.mean(true, 2));
    Tensor normal = centred.mul(centred.square().mean(true, 2).add(EPS).rsqrt());
    return normal
        .reshape(x.shape())
        .mul(weight.to(DType.FLOAT64).reshape(channels, 1, 1, 1))
        .add(bias.to(DType.FLOAT64).reshape(channels, 1, 1, 1))
        .silu();
  }
}
