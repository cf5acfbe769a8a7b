package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden wan_i2v: pictures that Pillow resized. */
class ResamplingTest {
  private static final Golden GOLDEN = Golden.open("/goldens/wan_i2v/io.safetensors");

  static Frame frame(Tensor pixels) {
    byte[] rgb = new byte[(int) pixels.count()];
    pixels.contiguous().memory().get(rgb);
    return new Frame((int) pixels.size(1), (int) pixels.size(0), rgb);
  }

  private static Frame picture() {
    return VideoFile.firstFrame(Golden.path("/goldens/wan_i2v/picture.png"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"48x32", "96x64", "64x96"})
  void lanczosIsPillowsBitForBit(String size) {
    String[] sides = size.split("x");
    try (Scope scope = Scope.open()) {
      assertThat(
              Resampling.LANCZOS.resize(
                  picture(), Integer.parseInt(sides[0]), Integer.parseInt(sides[1])))
          .isEqualTo(frame(GOLDEN.tensor("lanczos." + size)));
    }
  }

  @Test
  void bicubicIsPillowsBitForBit() {
    try (Scope scope = Scope.open()) {
      assertThat(Resampling.BICUBIC.resize(picture(), 20, 14))
          .isEqualTo(frame(GOLDEN.tensor("small.picture")));
    }
  }

  @Test
  void coverCutsTheSidesThatStickOut() {
    byte[] rgb = new byte[3 * 40 * 10];
    for (int y = 0; y < 10; y++) {
      for (int x = 15; x < 25; x++) {
        rgb[3 * (y * 40 + x)] = (byte) 200;
      }
    }
    Frame middle = Resampling.BICUBIC.cover(new Frame(40, 10, rgb), 5, 5);
    for (int i = 0; i < 25; i++) {
      assertThat(middle.pixel(i % 5, i / 5) >> 16).isBetween(150, 235);
    }
    assertThat(Resampling.LANCZOS.cover(picture(), 67, 45)).isEqualTo(picture());
  }
}
