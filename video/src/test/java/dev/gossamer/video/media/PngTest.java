package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PngTest {
  @TempDir Path folder;

  /** Reads a PNG by the decoder of the Java library. */
  static Frame read(Path path) throws IOException {
    BufferedImage image = ImageIO.read(path.toFile());
    byte[] rgb = new byte[3 * image.getWidth() * image.getHeight()];
    for (int i = 0; i < rgb.length / 3; i++) {
      int pixel = image.getRGB(i % image.getWidth(), i / image.getWidth());
      rgb[3 * i] = (byte) (pixel >> 16);
      rgb[3 * i + 1] = (byte) (pixel >> 8);
      rgb[3 * i + 2] = (byte) pixel;
    }
    return new Frame(image.getWidth(), image.getHeight(), rgb);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 7", "7, 1", "65, 33", "256, 200"})
  void everyDecoderReadsBackEveryPixel(int width, int height) throws IOException {
    Path path = folder.resolve("picture.png");
    Png.write(path, Cartoon.frame(0.3, width, height));
    assertThat(read(path)).isEqualTo(Cartoon.frame(0.3, width, height));
    Png.write(path, Cartoon.noise(5, width, height));
    assertThat(read(path)).isEqualTo(Cartoon.noise(5, width, height));
  }

  @Test
  void smoothPicturesBecomeSmall() throws IOException {
    Path path = folder.resolve("picture.png");
    Png.write(path, Cartoon.frame(0.3, 256, 256));
    assertThat(Files.size(path)).isLessThan(3 * 256 * 256 / 20);
  }

  @Test
  void refusesPlacesWhereNoFileCanBe() {
    Frame frame = Cartoon.plain(0, 4, 4);
    assertThatThrownBy(() -> Png.write(folder, frame))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("it is a folder");
    assertThatThrownBy(() -> Png.write(folder.resolve("no/picture.png"), frame))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("there is no folder");
  }

  @Test
  void saysInOneLineThatItCannotWrite() throws IOException {
    assumeThat(Path.of("/dev/full")).exists();
    Path path = folder.resolve("picture.png");
    Files.createSymbolicLink(folder.resolve("picture.png.part"), Path.of("/dev/full"));
    assertThatThrownBy(() -> Png.write(path, Cartoon.plain(0, 4, 4)))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageStartingWith("Cannot write " + path + ": No space left on device. ")
        .hasMessageNotContaining("\n");
    assertThat(folder).isEmptyDirectory();
    assertThatThrownBy(() -> Png.write(Path.of("/proc/self/a.png"), Cartoon.plain(0, 4, 4)))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageStartingWith("Cannot write /proc/self/a.png: ");
  }
}
