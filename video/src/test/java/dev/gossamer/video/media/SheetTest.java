package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link ContactSheet}, {@link SideBySide} and {@link ExplainSheet}. */
class SheetTest {
  @TempDir Path folder;

  private static Frames greys(int count, int width, int height) {
    return new Frames(
        IntStream.range(0, count)
            .mapToObj(i -> Cartoon.plain(0x010101 * (i + 1), width, height))
            .toList());
  }

  /** Red values at the middle of each picture of a sheet of 4 columns without a wrapped title. */
  private static List<Integer> shown(Frame sheet, int pictures, int width, int height) {
    int rowHeight = height + Lettering.SMALL.lineHeight() + 8;
    int top = 16 + Lettering.LARGE.lineHeight() + 8;
    return IntStream.range(0, pictures)
        .mapToObj(
            i ->
                sheet.pixel(
                        16 + i % 4 * (width + 8) + width / 2, top + i / 4 * rowHeight + height / 2)
                    & 0xff)
        .toList();
  }

  @Test
  void contactSheetShowsEightFramesFromFirstToLast() {
    Frame sheet = ContactSheet.of("a prompt", greys(33, 64, 48), 16).draw();
    assertThat(shown(sheet, 8, 64, 48)).containsExactly(1, 6, 10, 15, 19, 24, 28, 33);
  }

  @Test
  void contactSheetOfAShortVideoShowsEveryFrame() {
    Frame sheet = ContactSheet.of("a prompt", greys(5, 64, 48), 16).draw();
    assertThat(shown(sheet, 5, 64, 48)).containsExactly(1, 2, 3, 4, 5);
    assertThat(ContactSheet.of("", greys(1, 64, 48), 16).draw().width()).isGreaterThan(64);
  }

  @Test
  void contactSheetGrowsWithTheTitleUpToFourLines() {
    Frames frames = greys(8, 64, 48);
    int one = ContactSheet.of("a prompt", frames, 16).draw().height();
    int four = ContactSheet.of("a long prompt ".repeat(300), frames, 16).draw().height();
    assertThat(four - one).isEqualTo(3 * Lettering.LARGE.lineHeight());
  }

  @Test
  void contactSheetMakesLargeFramesSmaller() {
    Frame sheet = ContactSheet.of("a prompt", greys(8, 832, 480), 16).draw();
    assertThat(sheet.width()).isEqualTo(2 * 16 + 4 * 256 + 3 * 8);
    assertThat(shown(sheet, 8, 256, 148)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
  }

  @Test
  void contactSheetShowsWhatThereIsOfAVideoThatBrokeOff() {
    ContactSheet sheet = new ContactSheet("a prompt", 33, 16);
    assertThatThrownBy(sheet::draw).isInstanceOf(IllegalStateException.class);
    greys(12, 64, 48).forEach(sheet::add);
    assertThat(shown(sheet.draw(), 3, 64, 48)).containsExactly(1, 6, 10);
  }

  @Test
  void contactSheetRefusesWhatDoesNotFit() {
    assertThatThrownBy(() -> new ContactSheet("", 0, 16)).hasMessageContaining("0 frames");
    assertThatThrownBy(() -> new ContactSheet("", 1, 0)).hasMessageContaining("0.0 frames/s");
    ContactSheet sheet = new ContactSheet("", 4, 16);
    sheet.add(Cartoon.plain(0, 8, 8));
    assertThatThrownBy(() -> sheet.add(Cartoon.plain(0, 8, 9)))
        .hasMessageContaining("Frame 1 is 8x9, the first was 8x8");
    assertThatThrownBy(() -> sheet.write(folder)).isInstanceOf(EnvironmentException.class);
  }

  @Test
  void sideBySideKeepsEveryPixelOfBoth() {
    Frame left = Cartoon.noise(1, 64, 48);
    Frame right = Cartoon.noise(2, 64, 48);
    Frame both = new SideBySide("dense", "adacluster").of(left, right);
    assertThat(both.width()).isEqualTo(2 * 64 + 4);
    assertThat(both.height()).isEqualTo(48 + 24);
    for (int y = 0; y < 48; y++) {
      for (int x = 0; x < 64; x++) {
        assertThat(both.pixel(x, y + 24)).isEqualTo(left.pixel(x, y));
        assertThat(both.pixel(x + 68, y + 24)).isEqualTo(right.pixel(x, y));
      }
    }
    assertThat(both).isNotEqualTo(new SideBySide("dense", "other").of(left, right));
  }

  @Test
  void sideBySideRefusesVideosThatDoNotMatch() {
    SideBySide sides = new SideBySide("a", "b");
    assertThatThrownBy(() -> sides.of(greys(2, 32, 32), greys(3, 32, 32)))
        .hasMessageContaining("2 and 3 frames");
    assertThatThrownBy(() -> sides.of(greys(2, 32, 32), greys(2, 32, 16)))
        .hasMessageContaining("32x32 and 32x16");
    assertThat(sides.of(greys(2, 32, 32), greys(2, 32, 32)).count()).isEqualTo(2);
  }

  private static ExplainSheet explain(int layers) {
    TokenGrid grid = TokenGrid.video(5, 4, 6);
    int[] labels = IntStream.range(0, grid.videoTokens()).map(i -> i % 11).toArray();
    double[] density = new double[layers];
    Arrays.fill(density, 0.25);
    double[] recall = new double[layers];
    Arrays.fill(recall, Double.NaN);
    return new ExplainSheet("step 3", grid, labels, greys(5, 48, 32), density, recall);
  }

  @Test
  void explainSheetShowsFirstMiddleAndLastFrameAboveTheirClusters() {
    Frame sheet = explain(12).draw();
    int cell = 240 / 6;
    int top = 16 + Lettering.LARGE.lineHeight() + 6 + Lettering.SMALL.lineHeight();
    int below = top + 4 * cell + 12;
    int[] frames = {0, 2, 4};
    for (int panel = 0; panel < 3; panel++) {
      int left = 16 + panel * (240 + 12);
      assertThat(sheet.pixel(left + 120, top + 80) & 0xff).isEqualTo(frames[panel] + 1);
      for (int token = 0; token < 24; token++) {
        int x = left + token % 6 * cell;
        int y = below + token / 6 * cell;
        int colour = Ink.cluster((frames[panel] * 24 + token) % 11);
        assertThat(sheet.pixel(x, y)).isEqualTo(colour);
        assertThat(sheet.pixel(x + cell - 1, y + cell - 1)).isEqualTo(colour);
      }
    }
  }

  @Test
  void explainSheetColoursDensityAndLeavesUnmeasuredRecallGrey() {
    Frame sheet = explain(12).draw();
    int left = 16 + 3 * 252 + 12 + 58;
    int row = 16 + Lettering.LARGE.lineHeight() + 6 + Lettering.SMALL.lineHeight() + 11 * 17;
    assertThat(sheet.pixel(left, row)).isEqualTo(Ink.viridis(0.25));
    assertThat(sheet.pixel(left + 64, row)).isEqualTo(Ink.ABSENT);
    assertThat(sheet.pixel(left, row + 17)).isEqualTo(Ink.PAPER);
  }

  @Test
  void explainSheetHasRoomForManyLayersAndFewFrames() throws IOException {
    assertThat(explain(60).draw().width()).isGreaterThan(explain(16).draw().width());
    assertThat(explain(60).draw().height()).isLessThan(500);
    for (int frames = 1; frames <= 2; frames++) {
      TokenGrid grid = TokenGrid.video(frames, 300, 2); // taller than a panel
      ExplainSheet sheet =
          new ExplainSheet(
              "",
              grid,
              new int[grid.videoTokens()],
              greys(frames, 20, 3000),
              new double[1],
              new double[1]);
      Path path = folder.resolve("explain.png");
      sheet.write(path);
      assertThat(PngTest.read(path)).isEqualTo(sheet.draw());
    }
  }

  @Test
  void explainSheetRefusesPartsThatDoNotFit() {
    TokenGrid grid = TokenGrid.video(1, 2, 2);
    Frames one = greys(1, 8, 8);
    double[] layer = {0.5};
    assertThatThrownBy(() -> new ExplainSheet("", grid, new int[3], one, layer, layer))
        .hasMessageContaining("4 tokens")
        .hasMessageContaining("not 3");
    int[] negative = {0, 1, -1, 0};
    assertThatThrownBy(() -> new ExplainSheet("", grid, negative, one, layer, layer))
        .hasMessageContaining("from -1 on");
    assertThatThrownBy(() -> new ExplainSheet("", grid, new int[4], greys(2, 8, 8), layer, layer))
        .hasMessageContaining("1 latent frames got 2 pictures");
    assertThatThrownBy(() -> new ExplainSheet("", grid, new int[4], one, layer, new double[2]))
        .hasMessageContaining("recall of 2");
  }

  @Test
  void neighbouringClusterNumbersHaveColoursFarApart() {
    for (int number = 0; number < 500; number++) {
      for (int next = number + 1; next <= number + 4; next++) {
        assertThat(distance(Ink.cluster(number), Ink.cluster(next)))
            .as("clusters %d and %d", number, next)
            .isGreaterThan(60);
      }
    }
    assertThat(IntStream.range(0, 200).map(Ink::cluster).distinct().count()).isEqualTo(200);
  }

  private static double distance(int a, int b) {
    int red = (a >> 16 & 0xff) - (b >> 16 & 0xff);
    int green = (a >> 8 & 0xff) - (b >> 8 & 0xff);
    int blue = (a & 0xff) - (b & 0xff);
    return Math.sqrt(red * red + green * green + blue * blue);
  }

  @Test
  void sharesGoFromDarkToBright() {
    assertThat(Ink.viridis(0)).isEqualTo(0x440154);
    assertThat(Ink.viridis(1)).isEqualTo(0xfde725);
    assertThat(Ink.viridis(-3)).isEqualTo(Ink.viridis(0));
    assertThat(Ink.viridis(7)).isEqualTo(Ink.viridis(1));
    assertThat(Ink.viridis(0.5)).isEqualTo(0x22908c); // between 0x26828e and 0x1f9e89, rounded
  }

  /** Text beyond the shipped letters asks for the fonts of the machine; without any it is a box. */
  @Test
  void sheetsNeedNoFonts() throws IOException, InterruptedException {
    Path config = folder.resolve("fonts.conf");
    Files.writeString(config, "<?xml version=\"1.0\"?><fontconfig></fontconfig>");
    Path path = folder.resolve("sheet.png");
    ChildJvm child =
        ChildJvm.run(
            List.of(),
            Map.of("FONTCONFIG_FILE", config.toString()),
            "-Duser.home=" + folder, // else Java remembers the fonts of an earlier start
            OneSheet.class.getName(),
            path.toString());
    assertThat(child.exitCode()).as(child.output()).isZero();
    assertThat(PngTest.read(path).width()).isGreaterThan(100);
  }

  @Test
  void sheetsNeedNoAwt() throws IOException, InterruptedException {
    Path path = folder.resolve("sheet.png");
    ChildJvm child =
        ChildJvm.run(
            List.of(),
            Map.of(),
            "--limit-modules",
            "java.base",
            OneSheet.class.getName(),
            path.toString());
    assertThat(child.exitCode()).as(child.output()).isZero();
    assertThat(PngTest.read(path).width()).isGreaterThan(100);
  }

  /** Writes a sheet whose title has letters that are not shipped. */
  static final class OneSheet {
    public static void main(String[] args) {
      ContactSheet.of("a bear, 熊, დათვი", Cartoon.frames(2, 64, 64), 16).write(Path.of(args[0]));
    }
  }
}
