package dev.gossamer.lm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextTokenizerTest {
  private static final Path NOWHERE = Path.of("tokenizer.json");
  private static final String MIXED = "Straße, café, naïve -- 猫が草の上 😀  end.\n\n\tIt's 1851!";

  @TempDir private Path folder;

  private static byte[] learnt(String text, int vocabulary) {
    BytePairs pairs = new BytePairs();
    pairs.count(text);
    return pairs.learn(vocabulary);
  }

  @Test
  void withoutMergesEveryByteIsAToken() {
    try (TextTokenizer bytes = TextTokenizer.of(NOWHERE, learnt("", 257))) {
      assertThat(bytes.vocabulary()).isEqualTo(257);
      assertThat(bytes.end()).hasValue(256);
      int[] ids = bytes.encode(MIXED);
      byte[] expected = MIXED.getBytes(StandardCharsets.UTF_8);
      assertThat(ids).hasSize(expected.length);
      for (int i = 0; i < ids.length; i++) {
        assertThat(ids[i]).isEqualTo(expected[i] & 0xff);
      }
      assertThat(bytes.decode(ids)).isEqualTo(MIXED);
      assertThat(bytes.bytes(ids)).isEqualTo(expected.length);
    }
  }

  /** The most frequent pair first: "aa" of "aaab aaab aab", then what follows by hand. */
  @Test
  void mergesAreThoseByHand() throws IOException {
    JsonNode root = new ObjectMapper().readTree(learnt("xyz xyz xyw xyw xyw q", 257 + 4));
    List<String> merges = new ArrayList<>();
    root.path("model").path("merges").forEach(merge -> merges.add(merge.asText()));
    // xy five times; then " xy" four times; " xyw" three times; the rest at most twice, and of
    // those the pair of earlier tokens first: "xy z" (once) is rare, " xy z" is there once.
    assertThat(merges).containsExactly("x y", "Ġ xy", "Ġxy w");
  }

  @Test
  void learntTokensSaveRoomAndLoseNothing() {
    String text = Texts.text();
    try (TextTokenizer tokenizer = TextTokenizer.of(NOWHERE, learnt(text, 1024))) {
      assertThat(tokenizer.vocabulary()).isEqualTo(1024);
      int[] ids = tokenizer.encode(text);
      assertThat(ids.length).isLessThan(text.length() * 45 / 100);
      assertThat(tokenizer.decode(ids)).isEqualTo(text);
      assertThat(tokenizer.bytes(ids)).isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
      assertThat(tokenizer.decode(tokenizer.encode(MIXED))).isEqualTo(MIXED);
    }
  }

  @Test
  void theSameTextGivesTheSameTokenizer() {
    String text = Texts.text();
    assertThat(learnt(text, 600)).isEqualTo(learnt(text, 600));
  }

  /** HuggingFace's library merges as the trainer did: the training words end in whole tokens. */
  @Test
  void theLibraryMergesAsTheTrainerDid() {
    try (TextTokenizer tokenizer = TextTokenizer.of(NOWHERE, learnt("sea sea sea the the", 270))) {
      assertThat(tokenizer.encode(" sea the")).hasSize(2);
      assertThat(tokenizer.encode("sea")).hasSize(1);
    }
  }

  @Test
  void encodingInPartsChangesNothing() {
    String text = Texts.text();
    try (TextTokenizer tokenizer = TextTokenizer.of(NOWHERE, learnt(text, 1024))) {
      assertThat(text.length()).isGreaterThan(2 << 15);
      assertThat(tokenizer.encodePlain(text)).isEqualTo(tokenizer.encode(text));
    }
  }

  @Test
  void theEndIsWhatStandsBesideTheTokenizer() throws IOException {
    Path file = folder.resolve("tokenizer.json");
    Files.write(file, learnt("", 257));
    try (TextTokenizer alone = TextTokenizer.open(folder)) {
      assertThat(alone.end()).hasValue(256);
    }
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"A\"}");
    try (TextTokenizer named = TextTokenizer.open(file)) {
      assertThat(named.end()).hasValue('A');
    }
  }

  @Test
  void aTokenIsSpelledInBytes() {
    try (TextTokenizer pairs = TextTokenizer.of(NOWHERE, learnt("sea sea sea the the", 270));
        TextTokenizer pieces = LlamaLikeTokenizer.make()) {
      for (TextTokenizer tokenizer : List.of(pairs, pieces)) {
        StringBuilder latin = new StringBuilder(); // a character for each byte
        for (int id : tokenizer.encodePlain("the sea, a 猫")) {
          latin.append(new String(tokenizer.spelled(id), StandardCharsets.ISO_8859_1));
        }
        byte[] all = latin.toString().getBytes(StandardCharsets.ISO_8859_1);
        assertThat(new String(all, StandardCharsets.UTF_8).strip()).isEqualTo("the sea, a 猫");
        assertThat(tokenizer.spelled(tokenizer.end().orElseThrow()))
            .asString(StandardCharsets.UTF_8)
            .isEqualTo(tokenizer.written(tokenizer.end().orElseThrow()));
        assertThat(tokenizer.spelled(tokenizer.vocabulary())).isEmpty();
      }
    }
  }

  @Test
  void tooSmallAVocabularyIsRefused() {
    assertThatThrownBy(() -> learnt("", 256)).isInstanceOf(UsageException.class);
  }

  @Test
  void damageIsNamed() throws IOException {
    Path file = folder.resolve("tokenizer.json");
    assertThatThrownBy(() -> TextTokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no such file");
    byte[] sound = learnt("", 257);
    for (byte[] damaged :
        List.of(
            Arrays.copyOf(sound, sound.length / 2),
            "{}".getBytes(StandardCharsets.UTF_8),
            "{\"model\": {\"vocab\": {\"a\": 0}}}".getBytes(StandardCharsets.UTF_8))) {
      Files.write(file, damaged);
      assertThatThrownBy(() -> TextTokenizer.open(file))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("tokenizer.json");
    }
  }
}
