package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.gossamer.tensor.ResidentMemory;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Mp4WriterTest {
  @TempDir Path folder;

  private static void write(Path path, Frames frames, Mp4Settings settings) {
    try (Mp4Writer writer = Mp4Writer.open(path, settings)) {
      frames.forEach(writer::add);
      writer.finish();
    }
  }

  private static void write(Path path, Frames frames) {
    write(path, frames, Mp4Settings.of(frames.width(), frames.height(), 16));
  }

  private List<Path> files() throws IOException {
    try (var entries = Files.list(folder)) {
      return entries.sorted().toList();
    }
  }

  @Test
  void writesAVideoThatReadsBackNearlyTheSame() {
    Frames frames = Cartoon.frames(33, 256, 256);
    Path path = folder.resolve("ball.mp4");
    write(path, frames);
    VideoFile video = VideoFile.read(path);
    assertThat(video.codec()).isEqualTo("h264");
    assertThat(video.colours()).isEqualTo("bt709");
    assertThat(video.framesPerSecond()).isEqualTo(16);
    assertThat(video.frames().count()).isEqualTo(33);
    Psnr psnr = Psnr.of(frames, video.frames());
    // Coloured edges lose sharpness to the halved chroma; the quantiser alone would give 45 dB.
    assertThat(psnr.mean()).isGreaterThan(38);
    assertThat(psnr.perFrame()).allMatch(value -> value > 36);
  }

  @ParameterizedTest
  @CsvSource({"0xff0000", "0x00ff00", "0x0000ff", "0xffffff", "0x000000", "0x808080", "0x2468f0"})
  void keepsColours(String name) {
    int colour = Integer.decode(name);
    Path path = folder.resolve("plain.mp4");
    write(path, Frames.of(Cartoon.plain(colour, 32, 32), Cartoon.plain(colour, 32, 32)));
    for (Frame frame : VideoFile.read(path).frames()) {
      int read = frame.pixel(16, 16);
      for (int shift = 0; shift <= 16; shift += 8) {
        // 8-bit video range has 219 steps of luma; a wrong matrix would be off by 20 or more
        assertThat((read >> shift) & 0xff).isCloseTo((colour >> shift) & 0xff, within(3));
      }
    }
  }

  private static org.assertj.core.data.Offset<Integer> within(int steps) {
    return org.assertj.core.data.Offset.offset(steps);
  }

  @Test
  void givesTheSameBytesForTheSameFrames() throws IOException {
    Frames frames = Cartoon.frames(12, 160, 96);
    write(folder.resolve("a.mp4"), frames);
    write(folder.resolve("b.mp4"), frames);
    assertThat(folder.resolve("a.mp4")).hasSameBinaryContentAs(folder.resolve("b.mp4"));
  }

  @Test
  void putsTheIndexInFrontAndNotesInTheHeader() throws IOException {
    Path path = folder.resolve("noted.mp4");
    Frames frames = Cartoon.frames(4, 64, 64);
    write(path, frames, Mp4Settings.of(64, 64, 8).withTitle("ein Bär, 熊").withComment("--seed 7"));
    String bytes = new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
    assertThat(bytes.indexOf("moov")).isBetween(0, bytes.indexOf("mdat"));
    assertThat(bytes).contains("ein Bär, 熊").contains("--seed 7").doesNotContain("Lavf");
  }

  @ParameterizedTest
  @CsvSource({"65, 48", "48, 65", "17, 17", "516, 280"})
  void padsOddSizesByOnePixel(int width, int height) {
    Path path = folder.resolve("odd.mp4");
    Frames frames = Cartoon.frames(3, width, height);
    write(path, frames);
    Frames read = VideoFile.read(path).frames();
    assertThat(read.width()).isEqualTo(width + width % 2);
    assertThat(read.height()).isEqualTo(height + height % 2);
    Frame first = read.get(0);
    int edge = first.pixel(read.width() - 1, height / 2) & 0xff;
    assertThat(edge).isCloseTo(frames.get(0).pixel(width - 1, height / 2) & 0xff, within(20));
  }

  @Test
  void writesAVideoOfASingleFrame() {
    Path path = folder.resolve("one.mp4");
    write(path, Cartoon.frames(1, 64, 64));
    assertThat(VideoFile.read(path).frames().count()).isEqualTo(1);
  }

  @Test
  void leavesNoSpecksBehindWhatMoves() {
    Frames frames = Cartoon.frames(20, 256, 256);
    Path path = folder.resolve("moving.mp4");
    write(path, frames);
    Frames read = VideoFile.read(path).frames();
    for (int i = 0; i < frames.count(); i++) {
      assertThat(largestErrorOnSky(frames.get(i), read.get(i))).as("frame %d", i).isLessThan(16);
    }
  }

  /** The largest error of the red channel where the surroundings are the dark sky alone. */
  private static int largestErrorOnSky(Frame frame, Frame read) {
    int largest = 0;
    int reach = 4; // looked at in steps of 2, half the size of a star
    for (int y = reach; y < frame.height() - reach; y++) {
      for (int x = reach; x < frame.width() - reach; x++) {
        boolean sky = true;
        for (int dy = -reach; dy <= reach && sky; dy += 2) {
          for (int dx = -reach; dx <= reach && sky; dx += 2) {
            sky = frame.pixel(x + dx, y + dy) >> 16 < 45;
          }
        }
        int error = Math.abs((frame.pixel(x, y) >> 16) - (read.pixel(x, y) >> 16));
        largest = sky ? Math.max(largest, error) : largest;
      }
    }
    return largest;
  }

  @Test
  void writesAHundredFramesAndOne() {
    Path path = folder.resolve("long.mp4");
    Frames frames = Cartoon.frames(101, 64, 48);
    write(path, frames);
    Frames read = VideoFile.read(path).frames();
    assertThat(read.count()).isEqualTo(101);
    assertThat(Psnr.of(frames, read).perFrame()).allMatch(value -> value > 32);
  }

  @Test
  void encodesNoiseMoreCoarselyInsteadOfFailing() {
    Path path = folder.resolve("noise.mp4");
    List<Frame> frames = new ArrayList<>(Cartoon.frames(4, 128, 128).all());
    for (int i = 0; i < 4; i++) {
      frames.add(Cartoon.noise(i, 128, 128));
      frames.add(blackAndWhiteNoise(i, 128, 128));
    }
    frames.addAll(Cartoon.frames(4, 128, 128).all());
    write(path, new Frames(frames));
    Frames read = VideoFile.read(path).frames();
    assertThat(read.count()).isEqualTo(frames.size());
    List<Double> psnr = Psnr.of(new Frames(frames), read).perFrame();
    assertThat(psnr.subList(0, 4)).allMatch(value -> value > 36);
    assertThat(psnr.subList(12, 16)).allMatch(value -> value > 25);
  }

  private static Frame blackAndWhiteNoise(long seed, int width, int height) {
    byte[] rgb = Cartoon.noise(seed, width, height).rgb();
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) (rgb[i - i % 3] >> 7);
    }
    return new Frame(width, height, rgb);
  }

  @Test
  void keepsTheTargetUntilFinished() throws IOException {
    Path path = folder.resolve("video.mp4");
    Files.writeString(path, "older");
    try (Mp4Writer writer = Mp4Writer.open(path, 64, 64, 16)) {
      writer.add(Cartoon.frame(0, 64, 64));
      assertThat(path).hasContent("older");
      writer.finish();
    }
    assertThat(VideoFile.read(path).frames().count()).isEqualTo(1);
    assertThat(files()).containsExactly(path);
  }

  @Test
  void leavesNothingWhenGivenUp() throws IOException {
    try (Mp4Writer writer = Mp4Writer.open(folder.resolve("video.mp4"), 64, 64, 16)) {
      writer.add(Cartoon.frame(0, 64, 64));
      assertThat(files()).isNotEmpty();
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void refusesAVideoWithoutFrames() throws IOException {
    try (Mp4Writer writer = Mp4Writer.open(folder.resolve("video.mp4"), 64, 64, 16)) {
      assertThatThrownBy(writer::finish).hasMessageContaining("got no frame");
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void refusesAFrameOfAnotherSizeButGoesOn() {
    Path path = folder.resolve("video.mp4");
    try (Mp4Writer writer = Mp4Writer.open(path, 64, 64, 16)) {
      writer.add(Cartoon.frame(0, 64, 64));
      assertThatThrownBy(() -> writer.add(Cartoon.frame(0, 64, 48)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("Frame 1 of")
          .hasMessageContaining("64x48, announced was 64x64");
      writer.finish();
    }
    assertThat(VideoFile.read(path).frames().count()).isEqualTo(1);
  }

  @Test
  void refusesWorkAfterTheEnd() {
    Mp4Writer writer = Mp4Writer.open(folder.resolve("video.mp4"), 64, 64, 16);
    writer.add(Cartoon.frame(0, 64, 64));
    writer.finish();
    assertThatThrownBy(() -> writer.add(Cartoon.frame(0, 64, 64))).hasMessageContaining("closed");
    assertThatThrownBy(writer::finish).hasMessageContaining("closed");
    writer.close();
    writer.close();
    assertThat(folder.resolve("video.mp4")).exists();
  }

  @ParameterizedTest
  @CsvSource({"8, 64, 16", "64, 15, 16", "5000, 64, 16", "64, 64, 0", "64, 64, NaN", "64, 64, 500"})
  void refusesSizesAndRatesThatNoVideoHas(int width, int height, double rate) {
    assertThatThrownBy(() -> Mp4Settings.of(width, height, rate))
        .isInstanceOf(UsageException.class);
  }

  @Test
  void saysInOneLineThatTheEncoderRefusesTheSize() throws IOException {
    assertThatThrownBy(() -> Mp4Writer.open(folder.resolve("huge.mp4"), 4096, 4096, 16))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("4096x4096")
        .hasMessageNotContaining("\n");
    assertThat(files()).isEmpty();
  }

  @Test
  void refusesFoldersAndPlacesThatDoNotExist() throws IOException {
    assertThatThrownBy(() -> Mp4Writer.open(folder, 64, 64, 16))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("it is a folder");
    assertThatThrownBy(() -> Mp4Writer.open(folder.resolve("no/such/video.mp4"), 64, 64, 16))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("there is no folder");
    assertThat(files()).isEmpty();
  }

  @Test
  void saysInOneLineThatTheFolderIsNotWritable() {
    Path locked = Path.of("/proc/self"); // not even for root
    assumeThat(locked).isDirectory();
    assertThatThrownBy(() -> Mp4Writer.open(locked.resolve("video.mp4"), 64, 64, 16))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageStartingWith("Cannot write /proc/self/video.mp4: ")
        .hasMessageContaining("Check that the folder")
        .hasMessageNotContaining("\n");
  }

  @Test
  void saysInOneLineThatTheDiskIsFullAndLeavesNothing() throws IOException {
    Path full = Path.of("/dev/full");
    assumeThat(full).exists();
    Files.createSymbolicLink(folder.resolve("video.mp4.part"), full);
    Path path = folder.resolve("video.mp4");
    assertThatThrownBy(
            () -> {
              try (Mp4Writer writer = Mp4Writer.open(path, 256, 256, 16)) {
                for (int i = 0; i < 20; i++) {
                  writer.add(Cartoon.noise(i, 256, 256));
                }
                writer.finish();
              }
            })
        .isInstanceOf(EnvironmentException.class)
        .hasMessage(
            "Cannot write "
                + path
                + ": No space left on device."
                + " Check that the folder exists, is writable and has room");
    assertThat(files()).isEmpty();
  }

  /** The limit on file sizes stands for a disk that fills up in the middle. */
  @ParameterizedTest
  @CsvSource({"40, 20", "256, 20", "4, 1"})
  void saysThatTheFileCouldNotGrowAndLeavesNothing(int limitKilobytes, int frames)
      throws IOException, InterruptedException {
    assumeThat(Path.of("/bin/bash")).exists();
    Path path = folder.resolve("video.mp4");
    List<String> limited =
        List.of("/bin/bash", "-c", "ulimit -f " + limitKilobytes + "; exec \"$@\"", "limited");
    ChildJvm child =
        ChildJvm.run(
            limited, Map.of(), NoiseVideo.class.getName(), path.toString(), String.valueOf(frames));
    assertThat(child.exitCode()).as(child.output()).isEqualTo(4);
    assertThat(child.output())
        .startsWith("Cannot write " + path + ": File too large. ")
        .hasLineCount(1);
    assertThat(files()).isEmpty();
  }

  /** Writes a video of noise and exits with the code of its failure. */
  static final class NoiseVideo {
    public static void main(String[] args) {
      try (Mp4Writer writer = Mp4Writer.open(Path.of(args[0]), 256, 256, 16)) {
        for (int i = 0; i < Integer.parseInt(args[1]); i++) {
          writer.add(Cartoon.noise(i, 256, 256));
        }
        writer.finish();
      } catch (EnvironmentException e) {
        System.out.print(e.getMessage());
        System.exit(e.exitCode());
      }
    }
  }

  @Test
  @Tag("slow")
  void holdsNoMemoryAfterHundredsOfWriters() {
    assumeThat(ResidentMemory.now().bytes()).isPositive();
    Frames frames = Cartoon.frames(2, 256, 256);
    Path path = folder.resolve("video.mp4");
    for (int i = 0; i < 40; i++) {
      finishAbortAndFail(path, frames);
    }
    System.gc();
    long before = ResidentMemory.now().bytes();
    for (int i = 0; i < 200; i++) {
      finishAbortAndFail(path, frames);
    }
    System.gc();
    // One leaked picture of 256x256 would be 200 x 0.2 MB, one leaked encoder far more.
    assertThat(ResidentMemory.now().bytes() - before).isLessThan(20L << 20);
  }

  private static void finishAbortAndFail(Path path, Frames frames) {
    write(path, frames);
    VideoFile.read(path);
    try (Mp4Writer aborted = Mp4Writer.open(path, 256, 256, 16)) {
      aborted.add(frames.get(0));
    }
    assertThatThrownBy(() -> Mp4Writer.open(path, 4096, 4096, 16))
        .isInstanceOf(UsageException.class);
  }
}
