package dev.gossamer.lm.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.lm.ByteModel;
import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.generate.Completion.Finish;
import dev.gossamer.lm.generate.Completion.Result;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CompletionTest {
  @TempDir private static Path folder;
  private static ByteModel opened;
  private static TextTokenizer bytes;
  private static LanguageModel model;

  @BeforeAll
  static void open() {
    opened = ByteModel.open(folder, 96);
    bytes = opened.tokenizer();
    model = opened.model();
  }

  @AfterAll
  static void close() {
    opened.close();
  }

  private static SamplingSettings drawn(long seed) {
    return new SamplingSettings(Map.of(), 1, 0, 0, 1, 0, 1, 0, seed);
  }

  private static Result run(Completion completion, String prompt) {
    return completion.run(model, bytes, bytes.encode(prompt), piece -> {}, () -> false);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aCacheChangesNothing(long seed) {
    Result with = run(new Completion(drawn(seed), 60, List.of(), true, true), "The sea");
    Result without = run(new Completion(drawn(seed), 60, List.of(), true, false), "The sea");
    assertThat(with.ids()).isEqualTo(without.ids()).hasSize(60);
    assertThat(with.text()).isEqualTo(without.text());
    assertThat(with.finish()).isEqualTo(Finish.LENGTH);
  }

  @Test
  void theSameSeedGivesTheSameText() {
    Completion completion = new Completion(drawn(5), 30, List.of(), true, true);
    assertThat(run(completion, "a").text()).isEqualTo(run(completion, "a").text());
    Completion other = new Completion(drawn(6), 30, List.of(), true, true);
    assertThat(run(other, "a").text()).isNotEqualTo(run(completion, "a").text());
  }

  @Test
  void piecesAreTheText() {
    List<String> pieces = new ArrayList<>();
    Completion completion = new Completion(drawn(5), 50, List.of(), true, true);
    Result result = completion.run(model, bytes, bytes.encode("a"), pieces::add, () -> false);
    assertThat(String.join("", pieces)).isEqualTo(result.text());
    assertThat(result.text()).isEqualTo(bytes.decode(result.ids()));
  }

  @Test
  void theContextEndsIt() {
    Result result = run(new Completion(drawn(1), 500, List.of(), true, true), "0123456789");
    assertThat(result.ids()).hasSize(86);
    assertThat(result.finish()).isEqualTo(Finish.LENGTH);
    String long96 = "x".repeat(96);
    Completion completion = new Completion(drawn(1), 5, List.of(), true, true);
    assertThatThrownBy(() -> run(completion, long96))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("96 tokens leaves no room");
    assertThatThrownBy(() -> run(completion, "")).hasMessageContaining("no text to continue");
  }

  @Test
  void theEndOfADocumentEndsIt() {
    SamplingSettings towardsEnd = new SamplingSettings(Map.of(256, 1000.0), 1, 0, 0, 0, 0, 1, 0, 1);
    Result result = run(new Completion(towardsEnd, 9, List.of(), false, true), "a");
    assertThat(result.ids()).isEmpty();
    assertThat(result.finish()).isEqualTo(Finish.STOP);
    assertThat(run(new Completion(towardsEnd, 9, List.of(), true, true), "a").ids()).hasSize(9);
  }

  @Test
  void whoeverAskedMayGo() {
    int[] pieces = new int[1];
    Result result =
        new Completion(drawn(1), 50, List.of(), true, true)
            .run(model, bytes, bytes.encode("a"), p -> pieces[0]++, () -> pieces[0] >= 3);
    assertThat(result.finish()).isEqualTo(Finish.CANCELLED);
    assertThat(result.ids()).hasSize(3);
  }

  @Test
  void lastLogitsOfManyAreThoseOfEachAlone() {
    int[][] prompts = {bytes.encode("The sea"), bytes.encode("a"), bytes.encode("In the")};
    try (Scope scope = Scope.open();
        KeyValueCache first = model.newCache();
        KeyValueCache second = model.newCache();
        KeyValueCache third = model.newCache()) {
      int[] ids = Arrays.stream(prompts).flatMapToInt(Arrays::stream).toArray();
      int[] counts = Arrays.stream(prompts).mapToInt(prompt -> prompt.length).toArray();
      List<KeyValueCache> caches = List.of(first, second, third);
      Tensor together = model.lastLogits(ids, caches, counts);
      assertThat(together.shape()).containsExactly(3, 257);
      for (int i = 0; i < prompts.length; i++) {
        Tensor alone = model.logits(prompts[i], 1);
        assertThat(together.select(0, i).toDoubles())
            .containsExactly(alone.select(0, prompts[i].length - 1).toDoubles(), within(1e-4));
        assertThat(caches.get(i).length()).isEqualTo(prompts[i].length);
      }
    }
  }

  @Test
  void nothingIsKept() {
    Completion completion = new Completion(drawn(1), 20, List.of(), true, true);
    run(completion, "a");
    long before = Tensor.live();
    run(completion, "a");
    assertThat(Tensor.live()).isEqualTo(before);
  }

  private static List<String> flow(TextFlow flow, String text) {
    List<String> pieces = new ArrayList<>();
    for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
      pieces.add(flow.add(value & 0xff));
      if (flow.stopped()) {
        return pieces;
      }
    }
    pieces.add(flow.end());
    return pieces;
  }

  @Test
  void charactersAreNeverSplit() {
    String text = "née 猫 😀!";
    List<String> pieces = flow(new TextFlow(bytes, new int[] {'a'}, List.of()), text);
    assertThat(String.join("", pieces)).isEqualTo(text);
    assertThat(pieces).allSatisfy(piece -> assertThat(piece).doesNotContain("\uFFFD"));
    assertThat(pieces).contains("é", "猫", "😀");
  }

  @Test
  void bytesThatAreNoCharacterAreShownInTheEnd() {
    TextFlow flow = new TextFlow(bytes, new int[] {'a'}, List.of());
    assertThat(flow.add(0xe7)).isEmpty();
    assertThat(flow.add('x')).isEqualTo("\uFFFDx");
    assertThat(flow.add(0xe7)).isEmpty();
    assertThat(flow.end()).isEqualTo("\uFFFD");
  }

  @Test
  void aCharacterThatThePromptBeganIsFinished() {
    TextFlow flow = new TextFlow(bytes, new int[] {'a', 0xe7, 0x8c}, List.of());
    assertThat(flow.add(0xab)).isEqualTo("\u732B");
    assertThat(flow.add('x')).isEqualTo("x");
    assertThat(flow.text()).isEqualTo("\u732Bx");
  }

  @Test
  void stopStringsMayLieAcrossTokens() {
    TextFlow flow = new TextFlow(bytes, new int[] {'a'}, List.of("END", "Q"));
    List<String> pieces = flow(flow, "one EN two END three");
    assertThat(flow.stopped()).isTrue();
    assertThat(flow.text()).isEqualTo("one EN two ");
    assertThat(String.join("", pieces)).isEqualTo("one EN two ");
    TextFlow never = new TextFlow(bytes, new int[] {'a'}, List.of("END"));
    assertThat(String.join("", flow(never, "the EN"))).isEqualTo("the EN");
  }

  @Test
  void nonsenseIsRefused() {
    assertThatThrownBy(() -> new Completion(drawn(1), 0, List.of(), true, true))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Completion(drawn(1), 5, List.of(""), true, true))
        .isInstanceOf(UsageException.class);
    SamplingSettings unknown = new SamplingSettings(Map.of(257, 1.0), 1, 0, 0, 0, 0, 1, 0, 1);
    assertThatThrownBy(() -> run(new Completion(unknown, 5, List.of(), true, true), "a"))
        .hasMessageContaining("token 257");
  }
}
