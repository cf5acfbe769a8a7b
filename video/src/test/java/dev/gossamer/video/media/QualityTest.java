package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@link Psnr} and {@link Ssim} against figures computed by hand and by scikit-image 0.26. */
class QualityTest {
  @Test
  void psnrOfAKnownError() {
    Frames grey = Frames.of(Cartoon.plain(0x808080, 16, 16));
    Frames brighter = Frames.of(Cartoon.plain(0x858585, 16, 16)); // MSE 25
    assertThat(Psnr.of(grey, brighter).mean()).isEqualTo(10 * Math.log10(65025 / 25.0));
    Frames redder = Frames.of(Cartoon.plain(0x8b8080, 16, 16)); // 121 in one of three channels
    assertThat(Psnr.of(redder, grey).mean()).isEqualTo(10 * Math.log10(65025 / (121 / 3.0)));
  }

  @Test
  void psnrOfBlackAgainstWhiteIsZero() {
    Frames black = Frames.of(Cartoon.plain(0, 16, 16));
    Frames white = Frames.of(Cartoon.plain(0xffffff, 16, 16));
    assertThat(Psnr.of(black, white).mean()).isZero();
    assertThat(Psnr.of(white, black).ofMeanError()).isZero();
  }

  @Test
  void equalFramesCountAsTheCapInTheMeanOverFrames() {
    Frame grey = Cartoon.plain(0x808080, 16, 16);
    Psnr psnr = Psnr.of(Frames.of(grey, grey), Frames.of(grey, Cartoon.plain(0x858585, 16, 16)));
    double second = 10 * Math.log10(65025 / 25.0);
    assertThat(psnr.perFrame()).containsExactly(100.0, second);
    assertThat(psnr.mean()).isEqualTo((100 + second) / 2);
    assertThat(psnr.ofMeanError()).isEqualTo(10 * Math.log10(65025 / 12.5));
  }

  @Test
  void psnrAgreesWithScikitImage() {
    Psnr psnr = Psnr.of(pattern(3, 37, 29, false), pattern(3, 37, 29, true));
    assertThat(psnr.perFrame().get(0)).isCloseTo(20.33624186946913, offset(1e-12));
    assertThat(psnr.perFrame().get(2)).isCloseTo(20.996250487094716, offset(1e-12));
    assertThat(psnr.mean()).isCloseTo(20.678393693575302, offset(1e-12));
    assertThat(psnr.ofMeanError()).isCloseTo(20.66998185111876, offset(1e-12));
  }

  @Test
  void wrappedPsnrIsWhatNumpyGivesOnUint8() {
    assertThat(Psnr.psnrUint8Wrap(pattern(3, 37, 29, false), pattern(3, 37, 29, true)))
        .isCloseTo(28.939427098027167, offset(1e-12));
    assertThat(Psnr.psnrUint8Wrap(pattern(2, 64, 48, true), pattern(2, 64, 48, false)))
        .isCloseTo(28.737558925163956, offset(1e-12));
    // 16 * 16 = 256 wraps to 0: the error vanishes
    Frames grey = Frames.of(Cartoon.plain(0x808080, 16, 16));
    Frames brighter = Frames.of(Cartoon.plain(0x909090, 16, 16));
    assertThat(Psnr.psnrUint8Wrap(grey, brighter)).isEqualTo(100);
  }

  @Test
  void wrappedPsnrOfUnrelatedFramesIsTheFigureThatGivesItAway() {
    Frames one = Frames.of(Cartoon.noise(1, 128, 128));
    Frames other = Frames.of(Cartoon.noise(2, 128, 128));
    assertThat(Psnr.of(one, other).mean()).isCloseTo(7.8, offset(0.1));
    assertThat(Psnr.psnrUint8Wrap(one, other)).isCloseTo(27.9, offset(0.1));
  }

  @Test
  void ssimAgreesWithScikitImage() {
    Ssim ssim = Ssim.of(pattern(3, 37, 29, false), pattern(3, 37, 29, true));
    assertThat(ssim.perFrame().get(0)).isCloseTo(0.8834936393154612, offset(1e-12));
    assertThat(ssim.perFrame().get(1)).isCloseTo(0.8910797771517903, offset(1e-12));
    assertThat(ssim.mean()).isCloseTo(0.8917523809415348, offset(1e-12));
    assertThat(Ssim.of(pattern(2, 64, 48, true), pattern(2, 64, 48, false)).mean())
        .isCloseTo(0.931018284304803, offset(1e-12));
  }

  @Test
  void ssimOfOneWindowAgreesWithScikitImage() {
    assertThat(Ssim.of(pattern(1, 11, 11, false), pattern(1, 11, 11, true)).mean())
        .isCloseTo(0.7562646380710821, offset(1e-12));
  }

  @Test
  void ssimOfPlainColoursIsTheLuminanceTerm() {
    Frames dark = Frames.of(Cartoon.plain(0x323232, 20, 20)); // 50
    Frames bright = Frames.of(Cartoon.plain(0x646464, 20, 20)); // 100
    double c1 = 2.55 * 2.55;
    assertThat(Ssim.of(dark, bright).mean())
        .isCloseTo((2 * 50 * 100 + c1) / (50 * 50 + 100 * 100 + c1), offset(1e-9));
  }

  @Test
  void equalFramesHaveSsimOne() {
    Frames frames = pattern(2, 40, 30, true);
    assertThat(Ssim.of(frames, frames).perFrame()).allMatch(value -> Math.abs(value - 1) < 1e-12);
  }

  @Test
  void refusesVideosThatDoNotCompare() {
    Frames small = pattern(1, 16, 16, false);
    assertThatThrownBy(() -> Psnr.of(small, pattern(2, 16, 16, false)))
        .hasMessageContaining("1 frames of 16x16 against 2 frames of 16x16");
    assertThatThrownBy(() -> Ssim.of(small, pattern(1, 16, 17, false)))
        .hasMessageContaining("16x17");
    assertThatThrownBy(() -> Psnr.psnrUint8Wrap(small, pattern(1, 17, 16, false)))
        .hasMessageContaining("17x16");
    Frames tiny = pattern(1, 10, 16, false);
    assertThatThrownBy(() -> Ssim.of(tiny, tiny)).hasMessageContaining("at least 11x11");
  }

  /** Stripes and squares, and a copy with hashed noise and a darkened quarter, in whole numbers. */
  private static Frames pattern(int count, int width, int height, boolean disturbed) {
    List<Frame> frames = new ArrayList<>();
    for (int f = 0; f < count; f++) {
      byte[] rgb = new byte[3 * width * height];
      for (int i = 0; i < rgb.length; i++) {
        int c = i % 3;
        int x = i / 3 % width;
        int y = i / 3 / width;
        int value = (3 * x + 5 * y + 40 * c + 11 * f + (x / 8 + y / 8) % 2 * 60) % 256;
        if (disturbed) {
          value += (x * 7919 + y * 104729 + c * 1299709 + f * 15485863) % 31 - 15;
          value = Math.max(0, Math.min(255, value));
          value = x > width / 2 && y > height / 3 ? value * 3 / 4 : value;
        }
        rgb[i] = (byte) value;
      }
      frames.add(new Frame(width, height, rgb));
    }
    return new Frames(frames);
  }
}
