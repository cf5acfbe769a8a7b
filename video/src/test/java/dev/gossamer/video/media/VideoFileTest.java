package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VideoFileTest {
  @TempDir Path folder;

  @Test
  void saysThatAFileIsMissing() {
    assertThatThrownBy(() -> VideoFile.read(folder.resolve("none.mp4")))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("there is no such file");
    assertThatThrownBy(() -> VideoFile.read(folder)).isInstanceOf(BadInputException.class);
  }

  @Test
  void refusesWhatIsNoVideo() throws IOException {
    Path path = folder.resolve("text.mp4");
    Files.writeString(path, "this is a shopping list, not a video. ".repeat(50));
    assertThatThrownBy(() -> VideoFile.read(path))
        .isInstanceOf(BadInputException.class)
        .hasMessageStartingWith("Cannot read " + path + " as a video or picture: ")
        .hasMessageNotContaining("\n");
    Files.write(path, new byte[0]);
    assertThatThrownBy(() -> VideoFile.read(path)).isInstanceOf(BadInputException.class);
  }

  @Test
  void opensNoFileThatAnotherPointsTo() throws IOException {
    Path list = folder.resolve("list.m3u8");
    Files.writeString(list, "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n");
    assertThatThrownBy(() -> VideoFile.read(list)).isInstanceOf(BadInputException.class);
  }

  @Test
  void survivesDamagedFiles() throws IOException {
    Path path = folder.resolve("video.mp4");
    try (Mp4Writer writer = Mp4Writer.open(path, 64, 64, 16)) {
      Cartoon.frames(8, 64, 64).forEach(writer::add);
      writer.finish();
    }
    byte[] whole = Files.readAllBytes(path);
    for (int length = 10; length < whole.length; length += whole.length / 23) {
      Files.write(path, Arrays.copyOf(whole, length));
      readsSomethingOrRefuses(path);
    }
    for (int at = 4; at < whole.length; at += whole.length / 37) {
      byte[] damaged = whole.clone();
      damaged[at] ^= (byte) 0xff;
      Files.write(path, damaged);
      readsSomethingOrRefuses(path);
    }
  }

  private static void readsSomethingOrRefuses(Path path) {
    try {
      assertThat(VideoFile.read(path).frames().count()).isBetween(1, 8);
    } catch (BadInputException e) {
      assertThat(e.getMessage()).contains(path.toString()).doesNotContain("\n");
    }
  }

  @Test
  void readsFilesWithUnusualNames() {
    Path path = folder.resolve("ein Bär: 熊 %d.mp4");
    try (Mp4Writer writer = Mp4Writer.open(path, 64, 64, 16)) {
      writer.add(Cartoon.frame(0, 64, 64));
      writer.finish();
    }
    assertThat(VideoFile.read(path).frames().count()).isEqualTo(1);
  }
}
