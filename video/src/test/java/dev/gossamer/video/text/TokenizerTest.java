package dev.gossamer.video.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
  @TempDir Path folder;

  /** Golden tokenizers: exact ids for texts of many scripts, special tokens and lengths. */
  @ParameterizedTest
  @ValueSource(strings = {"umt5_like", "t5_like", "llama3_like", "clip_like"})
  void agreesWithTheGolden(String name) throws IOException {
    JsonNode golden =
        new ObjectMapper()
            .readTree(Golden.path("/goldens/tokenizers/cases.json").toFile())
            .path(name);
    int maxLength = golden.path("max_length").asInt();
    assertThat(golden.path("cases").size()).isEqualTo(32);
    try (Tokenizer tokenizer = Tokenizer.open(Golden.path(folderOf(name)))) {
      for (JsonNode expected : golden.path("cases")) {
        TokenIds actual = tokenizer.encode(expected.path("text").asText(), maxLength);
        assertThat(actual.ids())
            .as(expected.path("text").asText())
            .containsExactly(ids(name, expected.path("ids")));
        assertThat(actual.padId()).isEqualTo(golden.path("pad_id").asLong());
        assertThat(actual.padded(maxLength)).startsWith(actual.ids());
        assertThat(maxLength - actual.count()).isEqualTo(expected.path("n_pad").asInt());
        assertThat(LongStream.of(actual.padded(maxLength)).skip(actual.count()))
            .allMatch(id -> id == tokenizer.padId());
      }
    }
  }

  /** CogVideoX' tokenizer is a SentencePiece file. */
  private static String folderOf(String name) {
    return name.equals("t5_like")
        ? "/goldens/cogvideox_pipeline/checkpoint/tokenizer"
        : "/goldens/tokenizers/" + name;
  }

  /** The golden of the SentencePiece file was made with 10 extra tokens in place of T5's 100. */
  private static long[] ids(String name, JsonNode expected) {
    return LongStream.of(longs(expected))
        .map(id -> name.equals("t5_like") && id >= 224 ? id + 90 : id)
        .toArray();
  }

  private static long[] longs(JsonNode list) {
    long[] values = new long[list.size()];
    Arrays.setAll(values, i -> list.path(i).asLong());
    return values;
  }

  /** The prompts of the small model's reference run. */
  @ParameterizedTest
  @CsvSource({
    "a cat bounces on a blue background,0.ids",
    "a big red balloon rises on a night sky,1.ids",
    "'',negative_ids"
  })
  void agreesWithTheSmallModelsGolden(String prompt, String ids) {
    try (Scope scope = Scope.open();
        Tokenizer tokenizer = Tokenizer.open(MiniModel.folder().resolve("tokenizer"))) {
      assertThat(tokenizer.encode(prompt, 512).ids())
          .containsExactly(Golden.open("/goldens/mini/io.safetensors").tensor(ids).toLongs());
    }
  }

  @Test
  void truncationKeepsWhatStandsAroundTheText() {
    try (Tokenizer clip = Tokenizer.open(Golden.path("/goldens/tokenizers/clip_like"))) {
      long[] whole = clip.encode("a cat walks", 77).ids();
      long[] cut = clip.encode("a cat walks", 3).ids();
      assertThat(clip.encode("a cat walks", 77).dropped()).isZero();
      assertThat(clip.encode("a cat walks", 3).dropped()).isEqualTo(whole.length - 3);
      assertThat(whole).hasSizeGreaterThan(3);
      assertThat(cut).containsExactly(whole[0], whole[1], whole[whole.length - 1]);
      assertThatThrownBy(() -> clip.encode("a cat walks", 1))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("2 special tokens");
    }
  }

  @Test
  void readsBrokenSurrogatePairs() {
    try (Tokenizer umt5 = Tokenizer.open(Golden.path("/goldens/tokenizers/umt5_like"))) {
      assertThat(umt5.encode("a \ud83d cat", 512)).isEqualTo(umt5.encode("a ? cat", 512));
    }
  }

  @Test
  void leavesTheSystemPropertiesAsTheyWere() {
    System.setProperty("RUST_FLAVOR", "cpu");
    try (Tokenizer umt5 = Tokenizer.open(Golden.path("/goldens/tokenizers/umt5_like"))) {
      assertThat(System.getProperty("ai.djl.offline")).isNull();
      assertThat(System.getProperty("RUST_FLAVOR")).isEqualTo("cpu");
    } finally {
      System.clearProperty("RUST_FLAVOR");
    }
  }

  @Test
  void refusesUseAfterClosing() {
    Tokenizer tokenizer = Tokenizer.open(Golden.path("/goldens/tokenizers/umt5_like"));
    tokenizer.close();
    tokenizer.close();
    assertThatThrownBy(() -> tokenizer.encode("a", 8)).isInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "spiece.model,no SentencePiece model",
    "vocab.json,vocab.json",
    "readme.md,no tokenizer.json"
  })
  void refusesFoldersWithoutTokenizerJson(String file, String words) throws IOException {
    Files.writeString(folder.resolve(file), "{}");
    assertThatThrownBy(() -> Tokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(words)
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{",
        "nonsense",
        "{}",
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\"}]}",
        "{\"padding\":{\"pad_id\":0},\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}",
        "{\"padding\":{\"pad_id\":0},\"model\":{\"type\":\"Magic\"}}",
      })
  void refusesDamagedFiles(String json) throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), json);
    assertThatThrownBy(() -> Tokenizer.open(folder).close())
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("tokenizer")
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesTruncatedFiles() throws IOException {
    byte[] json = Files.readAllBytes(Golden.path("/goldens/tokenizers/llama3_like/tokenizer.json"));
    Files.write(folder.resolve("tokenizer.json"), Arrays.copyOf(json, json.length / 2));
    assertThatThrownBy(() -> Tokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("not valid JSON");
  }

  /** Each of these makes the native library end the process if it gets to see it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"normalizer\":{\"type\":\"Precompiled\"}",
        "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"???\"}",
        "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"BAAAAAAAAAA=\"}",
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\"}]}",
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"special_tokens\":{},"
            + "\"single\":[{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],\"pair\":[]}",
      })
  void refusesWhatWouldEndTheProcess(String part) throws IOException {
    Files.writeString(
        folder.resolve("tokenizer.json"),
        "{\"padding\":{\"pad_id\":0},"
            + part
            + ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",0.0]]}}");
    assertThatThrownBy(() -> Tokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(part.contains("normalizer") ? "charsmap" : "without defining");
  }

  /** Any cut of a SentencePiece file is refused in one line, or still is a model. */
  @Test
  void refusesTruncatedSentencePieceFiles() throws IOException {
    Path source = Golden.path("/goldens/cogvideox_pipeline/checkpoint/tokenizer/spiece.model");
    byte[] whole = Files.readAllBytes(source);
    for (int length : new int[] {0, 1, 5, 30, 100, 1000, whole.length / 2, whole.length - 1}) {
      Files.write(folder.resolve("spiece.model"), Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> Tokenizer.open(folder).close())
          .as("%d bytes", length)
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("spiece.model")
          .hasMessageNotContaining("\n");
    }
  }

  /** A flipped bit of a character map either still is a sound map or is refused. */
  @Test
  void survivesDamagedCharacterMaps() throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    JsonNode json =
        mapper.readTree(
            SentencePieceFile.json(
                    Golden.path("/goldens/cogvideox_pipeline/checkpoint/tokenizer/spiece.model"))
                .toString());
    ObjectNode step = (ObjectNode) json.path("normalizer");
    byte[] sound = step.path("precompiled_charsmap").binaryValue();
    Random random = new Random(7);
    int refused = 0;
    for (int i = 0; i < 20; i++) {
      byte[] damaged = sound.clone();
      damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      step.put("precompiled_charsmap", damaged);
      mapper.writeValue(folder.resolve("tokenizer.json").toFile(), json);
      try (Tokenizer tokenizer = Tokenizer.open(folder)) {
        assertThat(tokenizer.encode("a caf\u00e9 \uff21\u3000\ufb01 \u2460", 64).ids())
            .isNotEmpty();
      } catch (BadInputException e) {
        refused++;
      }
    }
    assertThat(refused).isPositive();
  }

  @Test
  void findsThePadTokenInEitherForm() throws IOException {
    String json =
        Files.readString(
            Golden.path("/goldens/tokenizers/umt5_like/tokenizer.json"), StandardCharsets.UTF_8);
    Files.writeString(folder.resolve("tokenizer.json"), json);
    try (Tokenizer tokenizer = Tokenizer.open(folder)) {
      assertThat(tokenizer.padId()).isZero();
    }
    Files.writeString(
        folder.resolve("special_tokens_map.json"), "{\"pad_token\":{\"content\":\"</s>\"}}");
    try (Tokenizer tokenizer = Tokenizer.open(folder)) {
      assertThat(tokenizer.padId()).isEqualTo(1);
    }
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"pad_token\":\"<none>\"}");
    assertThatThrownBy(() -> Tokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no added token '<none>'");
  }
}
