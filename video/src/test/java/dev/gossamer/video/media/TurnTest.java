package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** JPEGs with EXIF's orientation are read as they are meant to be seen. */
class TurnTest {
  private static final int WIDTH = 48;
  private static final int HEIGHT = 32;

  @TempDir Path folder;
  private byte[] jpeg;
  private Frame stored;

  @BeforeEach
  void make() throws IOException {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < HEIGHT; y++) {
      for (int x = 0; x < WIDTH; x++) {
        image.setRGB(x, y, x * 5 << 16 | y * 7 << 8 | (x * y) % 256);
      }
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    assertThat(ImageIO.write(image, "jpg", bytes)).isTrue();
    jpeg = bytes.toByteArray();
    stored = read(jpeg);
    assertThat(stored.size()).isEqualTo("48x32");
  }

  private Frame read(byte[] bytes) throws IOException {
    return VideoFile.firstFrame(Files.write(folder.resolve("photo.jpg"), bytes));
  }

  /** An EXIF segment with one entry, of the byte order {@code MM}, behind the start of the file. */
  private byte[] tagged(int orientation) {
    ByteBuffer exif =
        ByteBuffer.allocate(36)
            .putShort((short) 0xffe1)
            .putShort((short) 34)
            .put("Exif\0\0MM\0*".getBytes(StandardCharsets.US_ASCII))
            .putInt(8)
            .putShort((short) 1)
            .putShort((short) 0x0112)
            .putShort((short) 3)
            .putInt(1)
            .putShort((short) orientation)
            .putShort((short) 0)
            .putInt(0);
    return ByteBuffer.allocate(jpeg.length + 36)
        .put(jpeg, 0, 2)
        .put(exif.array())
        .put(jpeg, 2, jpeg.length - 2)
        .array();
  }

  /** EXIF's table: on which side of the scene the stored first row and first column lie. */
  private int seen(int orientation, int x, int y) {
    int right = WIDTH - 1;
    int bottom = HEIGHT - 1;
    return switch (orientation) {
      case 2 -> stored.pixel(right - x, y); // top, right
      case 3 -> stored.pixel(right - x, bottom - y); // bottom, right
      case 4 -> stored.pixel(x, bottom - y); // bottom, left
      case 5 -> stored.pixel(y, x); // left, top
      case 6 -> stored.pixel(y, bottom - x); // right, top
      case 7 -> stored.pixel(right - y, bottom - x); // right, bottom
      case 8 -> stored.pixel(right - y, x); // left, bottom
      default -> stored.pixel(x, y);
    };
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyOrientationIsRespected(int orientation) throws IOException {
    Frame frame = read(tagged(orientation));
    assertThat(frame.size()).isEqualTo(orientation < 5 ? "48x32" : "32x48");
    for (int y = 0; y < frame.height(); y++) {
      for (int x = 0; x < frame.width(); x++) {
        assertThat(frame.pixel(x, y)).as("pixel %d, %d", x, y).isEqualTo(seen(orientation, x, y));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 9, 65535})
  void orientationsThatExifDoesNotKnowTurnNothing(int orientation) throws IOException {
    assertThat(read(tagged(orientation))).isEqualTo(stored);
  }

  @Test
  void damagedExifTurnsNothing() throws IOException {
    byte[] damaged = tagged(6);
    Arrays.fill(damaged, 16, 30, (byte) 0xff);
    assertThat(read(damaged)).isEqualTo(stored);
  }

  @Test
  void matricesThatAreNoRightAnglesTurnNothing() {
    int one = 1 << 16;
    int[] skew = {one, one, 0, 0, one, 0, 0, 0, 1 << 30};
    assertThat(Turn.of(java.nio.IntBuffer.wrap(skew))).isEqualTo(Turn.NONE);
    assertThat(Turn.of(java.nio.IntBuffer.wrap(new int[9]))).isEqualTo(Turn.NONE);
  }
}
