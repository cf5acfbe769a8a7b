package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AnimatedPreviewTest {
  @TempDir Path folder;

  /** A piece of a RIFF file. */
  private record Chunk(String name, byte[] content) {}

  private static List<Chunk> chunks(byte[] bytes, int start) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(start);
    List<Chunk> chunks = new ArrayList<>();
    while (buffer.remaining() >= 8) {
      byte[] name = new byte[4];
      buffer.get(name);
      byte[] content = new byte[buffer.getInt()];
      buffer.get(content);
      buffer.position(Math.min(buffer.limit(), buffer.position() + content.length % 2));
      chunks.add(new Chunk(new String(name, StandardCharsets.US_ASCII), content));
    }
    return chunks;
  }

  private static int number(byte[] bytes, int at) { // 24 bits, low byte first
    return bytes[at] & 0xff | (bytes[at + 1] & 0xff) << 8 | (bytes[at + 2] & 0xff) << 16;
  }

  @Test
  void writesAnEndlessAnimationAtTheAskedSizeAndPace() throws IOException {
    Path path = folder.resolve("preview.webp");
    AnimatedPreview.write(path, Cartoon.frames(9, 32, 24), 256, 192, 4);
    byte[] bytes = Files.readAllBytes(path);
    assertThat(new String(bytes, 8, 4, StandardCharsets.US_ASCII)).isEqualTo("WEBP");
    List<Chunk> chunks = chunks(bytes, 12);
    byte[] canvas = chunks.get(0).content();
    assertThat(number(canvas, 4) + 1).isEqualTo(256);
    assertThat(number(canvas, 7) + 1).isEqualTo(192);
    Chunk animation = chunks.get(1);
    assertThat(animation.name()).isEqualTo("ANIM");
    assertThat(Arrays.copyOfRange(animation.content(), 4, 6)).containsOnly(0); // for ever
    List<Chunk> frames = chunks.stream().filter(chunk -> chunk.name().equals("ANMF")).toList();
    assertThat(frames).hasSize(9);
    assertThat(frames).allMatch(frame -> number(frame.content(), 12) == 250); // milliseconds
  }

  @Test
  void showsWhatWasDrawn() throws IOException {
    Path path = folder.resolve("preview.webp");
    Frames frames = Cartoon.frames(2, 128, 128);
    AnimatedPreview.write(path, frames, 128, 128, 8);
    byte[] bytes = Files.readAllBytes(path);
    byte[] first =
        chunks(bytes, 12).stream()
            .filter(chunk -> chunk.name().equals("ANMF"))
            .findFirst()
            .orElseThrow()
            .content();
    Path still = folder.resolve("still.webp"); // the first picture as a file of its own
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes("RIFF".getBytes(StandardCharsets.US_ASCII));
    int size = 4 + first.length - 16;
    file.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(size).array());
    file.writeBytes("WEBP".getBytes(StandardCharsets.US_ASCII));
    file.write(first, 16, first.length - 16);
    Files.write(still, file.toByteArray());
    Frames read = VideoFile.read(still).frames();
    assertThat(Psnr.of(Frames.of(frames.get(0)), read).mean()).isGreaterThan(30);
  }

  @Test
  void replacesAnOlderPreviewAndLeavesNothingElse() throws IOException {
    Path path = folder.resolve("preview.webp");
    for (int i = 1; i <= 3; i++) {
      AnimatedPreview.write(path, Cartoon.frames(i, 32, 32), 64, 64, 4);
    }
    assertThat(folder.toFile().list()).containsExactly("preview.webp");
    assertThat(chunks(Files.readAllBytes(path), 12))
        .filteredOn(chunk -> chunk.name().equals("ANMF"))
        .hasSize(3);
  }

  @Test
  void givesTheSameBytesForTheSameFrames() {
    for (String name : List.of("a.webp", "b.webp")) {
      AnimatedPreview.write(folder.resolve(name), Cartoon.frames(5, 32, 32), 64, 64, 4);
    }
    assertThat(folder.resolve("a.webp")).hasSameBinaryContentAs(folder.resolve("b.webp"));
  }

  @Test
  void refusesOddSizesAndPlacesWhereNoFileCanBe() {
    Frames frames = Cartoon.frames(1, 32, 32);
    assertThatThrownBy(() -> AnimatedPreview.write(folder.resolve("a.webp"), frames, 63, 64, 4))
        .hasMessageContaining("63x64");
    assertThatThrownBy(() -> AnimatedPreview.write(folder, frames, 64, 64, 4))
        .isInstanceOf(EnvironmentException.class);
    assertThat(folder).isEmptyDirectory();
  }
}
