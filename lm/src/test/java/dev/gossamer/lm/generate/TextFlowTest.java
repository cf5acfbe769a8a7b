package dev.gossamer.lm.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.lm.data.LlamaLikeTokenizer;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.Texts;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What comes token by token is what the whole would decode to. */
class TextFlowTest {
  private static final String[] SIGNS = {
    "a", "the", " ", " the", "  ", "\n", "é", "ß", "猫", "が", "😀", "👩‍👧", "z", "ẞ", "\u0301"
  };

  @TempDir private static Path folder;
  private static TextTokenizer bytes;
  private static TextTokenizer pairs;
  private static TextTokenizer pieces;

  @BeforeAll
  static void open() {
    bytes = TextTokenizer.open(Texts.tokens(folder, 257));
    pairs = TextTokenizer.open(Texts.tokens(folder, 300));
    pieces = LlamaLikeTokenizer.make();
  }

  @AfterAll
  static void close() {
    bytes.close();
    pairs.close();
    pieces.close();
  }

  private static String random(SplittableRandom random, int signs) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < signs; i++) {
      text.append(SIGNS[random.nextInt(SIGNS.length)]);
    }
    return text.toString();
  }

  /** All pieces, after checking that none is half a character and that they are the text. */
  private static String flow(TextFlow flow, int[] ids) {
    StringBuilder shown = new StringBuilder();
    for (int id : ids) {
      String piece = flow.add(id);
      assertThat(piece).doesNotContain("\uFFFD");
      shown.append(piece);
      assertThat(flow.window()).isLessThanOrEqualTo(40);
    }
    shown.append(flow.end());
    assertThat(shown).hasToString(flow.text());
    return flow.text();
  }

  @Test
  void randomTextsComeAsTheyAre() {
    SplittableRandom random = new SplittableRandom(7);
    for (int round = 0; round < 60; round++) {
      for (TextTokenizer tokenizer : List.of(bytes, pairs, pieces)) {
        String text = random(random, 40);
        int[] ids = tokenizer.encode(text);
        int cut = random.nextInt(Math.min(8, ids.length));
        int[] before = Arrays.copyOf(ids, cut);
        int[] after = Arrays.copyOfRange(ids, cut, ids.length);
        int whole = cut; // a character that was begun comes as a whole
        while (tokenizer.decode(Arrays.copyOf(ids, whole)).endsWith("\uFFFD")) {
          whole--;
        }
        String begun = tokenizer.decode(Arrays.copyOf(ids, whole));
        assertThat(tokenizer.decode(ids)).isEqualTo(text);
        assertThat(begun + flow(new TextFlow(tokenizer, before, List.of()), after)).isEqualTo(text);
      }
    }
  }

  @Test
  void bytesThatAreNoTextComeAsTheWholeDecodes() {
    SplittableRandom random = new SplittableRandom(8);
    for (int round = 0; round < 60; round++) {
      int[] ids = new int[300];
      for (int i = 0; i < ids.length; i++) {
        // Mostly leading and continuing bytes, and now and then the token without text.
        ids[i] = random.nextInt(40) == 0 ? 256 : 0x70 + random.nextInt(0x90);
      }
      TextFlow flow = new TextFlow(bytes, new int[] {'a'}, List.of());
      StringBuilder shown = new StringBuilder();
      for (int id : ids) {
        shown.append(flow.add(id));
        assertThat(flow.window()).isLessThanOrEqualTo(40);
      }
      shown.append(flow.end());
      assertThat(shown).hasToString(bytes.decode(ids));
    }
  }

  @Test
  void whatHasSettledStaysAsItIs() {
    int[] ids = pieces.encode("the 猫 and the 😀");
    TextFlow flow = new TextFlow(pieces, new int[0], List.of());
    String settled = "";
    for (int id : ids) {
      flow.add(id);
      String text = flow.text();
      String now = text.substring(0, text.offsetByCodePoints(0, flow.settled()));
      assertThat(now).startsWith(settled);
      settled = now;
    }
    assertThat(settled).isEqualTo("the 猫 and the 😀");
  }

  @Test
  void tokensWithoutTextTakeNoRoom() {
    TextFlow flow = new TextFlow(pieces, pieces.encode("a"), List.of());
    for (int i = 0; i < 1000; i++) {
      assertThat(flow.add(2)).isEmpty();
    }
    assertThat(flow.window()).isLessThan(10);
    assertThat(flow.add(pieces.token("▁the").orElseThrow())).isEqualTo(" the");
  }
}
