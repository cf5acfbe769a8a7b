package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LetteringTest {
  private static int inked(Frame frame) {
    int count = 0;
    for (int i = 0; i < frame.width() * frame.height(); i++) {
      count += frame.pixel(i % frame.width(), i / frame.width()) != Ink.PAPER ? 1 : 0;
    }
    return count;
  }

  private static Frame drawn(Lettering lettering, String text) {
    Canvas canvas = new Canvas(40, lettering.lineHeight(), Ink.PAPER);
    lettering.draw(canvas, text, 2, 0, Ink.TEXT);
    return canvas.toFrame();
  }

  @ParameterizedTest
  @EnumSource
  void drawsEveryEuropeanLetterDifferently(Lettering lettering) {
    String letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789äßéñøčžığπшїế";
    assertThat(letters.codePoints().mapToObj(c -> drawn(lettering, Character.toString(c))))
        .doesNotHaveDuplicates()
        .allMatch(frame -> inked(frame) > 3);
  }

  @ParameterizedTest
  @EnumSource
  void lettersStayInsideTheirLine(Lettering lettering) {
    int lines = 2 * lettering.lineHeight();
    for (char letter = '!'; letter <= '~'; letter++) {
      Canvas canvas = new Canvas(40, 2 * lines, Ink.PAPER);
      lettering.draw(canvas, String.valueOf(letter), 10, lines, Ink.TEXT);
      Frame frame = canvas.toFrame();
      for (int y = 0; y < frame.height(); y++) {
        boolean inside = y >= lines && y < lines + lettering.lineHeight();
        for (int x = 0; x < frame.width() && !inside; x++) {
          assertThat(frame.pixel(x, y)).as("%s at row %d", letter, y - lines).isEqualTo(Ink.PAPER);
        }
      }
    }
  }

  @Test
  void writesAccentsHoweverTheyAreEncoded() {
    assertThat(drawn(Lettering.LARGE, "e\u0301")).isEqualTo(drawn(Lettering.LARGE, "\u00e9"));
  }

  @Test
  void drawsSomethingForWhatNobodyCanDraw() {
    assertThat(inked(drawn(Lettering.SMALL, "\udbff\udffd"))).isGreaterThan(10);
    assertThat(inked(drawn(Lettering.SMALL, "\ud800"))).isGreaterThan(10); // half a character
  }

  @Test
  void takesBreaksAndControlCharactersAsSpaces() {
    assertThat(drawn(Lettering.SMALL, "a\n\t\u0000b")).isEqualTo(drawn(Lettering.SMALL, "a b"));
  }

  @Test
  void breaksLinesAtSpaces() {
    Lettering small = Lettering.SMALL;
    String text = "the quick brown fox jumps over the lazy dog";
    List<String> lines = small.wrapped(text, 100, 10);
    assertThat(lines).hasSizeGreaterThan(2).allMatch(line -> small.width(line) <= 100);
    assertThat(String.join(" ", lines)).isEqualTo(text);
  }

  @Test
  void breaksLongWordsAnywhereAndEndsInDotsWhatDoesNotFit() {
    Lettering small = Lettering.SMALL;
    List<String> lines = small.wrapped("w".repeat(100), 100, 3);
    assertThat(lines).hasSize(3).allMatch(line -> small.width(line) <= 100);
    assertThat(lines.get(2)).endsWith("…");
    assertThat(small.fitted("short", 100)).isEqualTo("short");
    assertThat(small.fitted("longer than that", 50)).endsWith("…");
    assertThat(small.wrapped("", 100, 3)).containsExactly("");
    assertThat(small.wrapped("熊".repeat(40), 100, 2)).hasSize(2);
    assertThat(small.fitted("abc", 1)).isEqualTo("a…"); // never an endless loop, never nothing
  }
}
