package dev.gossamer.lm.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.lm.ByteModel;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.Completion.Finish;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.lm.serve.TextRequest.Extent;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final EngineSettings ROOM = new EngineSettings(16, 40_000, 64, 16);

  @TempDir private static Path folder;
  private static ByteModel opened;

  @BeforeAll
  static void open() {
    opened = ByteModel.open(folder, 2048);
  }

  @AfterAll
  static void close() {
    opened.close();
  }

  private static Engine engine(EngineSettings settings) {
    return new Engine(opened.model(), opened.tokenizer(), settings, new ServerMetrics());
  }

  private static SamplingSettings drawn(long seed) {
    return new SamplingSettings(Map.of(), 1, 0, 0, 1, 0, 1, 0, seed);
  }

  private static Completion completion(SamplingSettings sampling, int tokens) {
    return new Completion(sampling, tokens, List.of(), true, true);
  }

  private static TextRequest request(String prompt, SamplingSettings sampling, int tokens) {
    int[] ids = opened.tokenizer().encode(prompt);
    return new TextRequest(
        ids, completion(sampling, tokens), Extent.CONTINUATION, OptionalInt.empty());
  }

  private static TextRequest request(String prompt, int tokens) {
    return request(prompt, SamplingSettings.GREEDY, tokens);
  }

  /** All events until each text has ended. */
  private static List<TextEvent> events(Submission submission, int texts) {
    List<TextEvent> all = new ArrayList<>();
    try {
      for (int left = texts; left > 0; ) {
        TextEvent event = submission.next(LONG).orElseThrow();
        all.add(event);
        left -= event.isLast() ? 1 : 0;
      }
      return all;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String text(List<TextEvent> events, int text) {
    StringBuilder all = new StringBuilder();
    events.stream().filter(event -> event.text() == text).forEach(e -> all.append(e.piece()));
    return all.toString();
  }

  private static TextEvent last(List<TextEvent> events, int text) {
    return events.stream()
        .filter(event -> event.text() == text && event.isLast())
        .findFirst()
        .orElseThrow();
  }

  private static String alone(TextRequest request) {
    return request
        .completion()
        .run(opened.model(), opened.tokenizer(), request.prompt(), piece -> {}, () -> false)
        .text();
  }

  @Test
  void manyTogetherAreAsEachAlone() {
    List<TextRequest> requests = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      String prompt = "The sea and the wind. ".repeat(1 + i % 5) + i;
      requests.add(request(prompt, i < 8 ? SamplingSettings.GREEDY : drawn(i), 20 + i));
    }
    List<String> alone = requests.stream().map(EngineTest::alone).toList();
    try (Engine engine = engine(ROOM)) {
      List<TextEvent> events = events(engine.submit(requests), 16);
      for (int i = 0; i < 16; i++) {
        assertThat(text(events, i)).isEqualTo(alone.get(i));
        assertThat(last(events, i).tokens()).isEqualTo(20 + i);
        assertThat(last(events, i).finish()).contains(Finish.LENGTH);
      }
    }
  }

  @Test
  void oneThatComesLaterJoinsThoseThatRun() throws InterruptedException {
    TextRequest first = request("a", 1500);
    TextRequest second = request("The sea", 10);
    String alone = alone(second);
    try (Engine engine = engine(ROOM)) {
      Submission running = engine.submit(List.of(first));
      running.next(LONG).orElseThrow();
      assertThat(text(events(engine.submit(List.of(second)), 1), 0)).isEqualTo(alone);
      assertThat(engine.running()).isEqualTo(1); // the first still is
      running.cancel();
    }
  }

  @Test
  void aLongPromptIsReadInPieces() {
    ServerMetrics metrics = new ServerMetrics();
    try (Engine engine = new Engine(opened.model(), opened.tokenizer(), ROOM, metrics)) {
      TextRequest request = request("x".repeat(100), 5);
      assertThat(text(events(engine.submit(List.of(request)), 1), 0)).isEqualTo(alone(request));
      assertThat(engine.running() + engine.waiting()).isZero();
    }
    String shown = new String(metrics.text(), StandardCharsets.UTF_8);
    assertThat(shown).contains("gossamer_step_seconds_count 11\n"); // 7 pieces, 4 more tokens
    assertThat(shown).contains("gossamer_prompt_tokens_total 100.0\n");
    assertThat(shown).contains("gossamer_generated_tokens_total 5.0\n");
    assertThat(shown).contains("gossamer_time_to_first_token_seconds_count 1\n");
    assertThat(shown).contains("gossamer_inter_token_seconds_count 4\n");
    assertThat(shown).contains("gossamer_texts_total{finish=\"length\"} 1.0\n");
    double rows =
        shown
            .lines()
            .filter(line -> line.startsWith("gossamer_expert_rows_total{"))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
            .sum();
    assertThat(rows).isEqualTo(104 * 2 * 2); // rows, layers, experts of each
  }

  @Test
  void cancellingFreesThePlace() throws InterruptedException {
    try (Engine engine = engine(new EngineSettings(1, 2048, 4, 256))) {
      Submission first = engine.submit(List.of(request("a", 2000)));
      first.next(LONG).orElseThrow();
      Submission second = engine.submit(List.of(request("b", 3)));
      assertThat(engine.waiting()).isEqualTo(1);
      first.cancel();
      assertThat(last(events(second, 1), 0).finish()).contains(Finish.LENGTH);
      TextEvent end = last(events(first, 1), 0);
      assertThat(end.finish()).contains(Finish.CANCELLED);
      assertThat(end.tokens()).isLessThan(2000);
      assertThat(engine.awaitIdle(LONG)).isTrue();
      assertThat(engine.reserved()).isZero();
    }
  }

  @Test
  void noMoreRunThanTheCacheHolds() throws InterruptedException {
    try (Engine engine = engine(new EngineSettings(8, 2040, 8, 256))) {
      Submission first = engine.submit(List.of(request("a", 1999)));
      first.next(LONG).orElseThrow();
      Submission second = engine.submit(List.of(request("a", 40), request("b", 9)));
      assertThat(engine.waiting()).isEqualTo(2); // the last would fit, but came later
      assertThat(engine.reserved()).isEqualTo(2000);
      first.cancel();
      assertThat(events(second, 2).stream().filter(TextEvent::isLast))
          .allSatisfy(event -> assertThat(event.finish()).contains(Finish.LENGTH));
      assertThatThrownBy(() -> engine.submit(List.of(request("a", 2040))))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("text of up to 2041 tokens; there is room for 2040");
    }
  }

  @Test
  void whoComesWhenAllPlacesAreTakenIsSentAway() throws InterruptedException {
    try (Engine engine = engine(new EngineSettings(1, 2048, 2, 256))) {
      Submission first = engine.submit(List.of(request("a", 2000)));
      first.next(LONG).orElseThrow();
      Submission others = engine.submit(List.of(request("b", 2), request("c", 2)));
      assertThatThrownBy(() -> engine.submit(List.of(request("d", 2))))
          .isInstanceOfSatisfying(
              RefusedException.class,
              refused -> {
                assertThat(refused.reason()).isEqualTo(RefusedException.Reason.FULL);
                assertThat(refused.again()).isGreaterThanOrEqualTo(Duration.ofSeconds(1));
              });
      TextRequest one = request("e", 2);
      assertThatThrownBy(() -> engine.submit(List.of(one, one, one, one)))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("4 texts in one request; there is room for 3");
      first.cancel();
      events(others, 2);
      engine.drain();
      assertThatThrownBy(() -> engine.submit(List.of(one)))
          .isInstanceOfSatisfying(
              RefusedException.class,
              refused -> assertThat(refused.reason()).isEqualTo(RefusedException.Reason.ENDING));
      assertThat(engine.state()).isEqualTo(Engine.State.DRAINING);
    }
  }

  @Test
  void aTextThatFailsFailsAlone() {
    TextRequest sound = request("The sea", 12);
    String alone = alone(sound);
    TextRequest unknown =
        new TextRequest(
            new int[] {'a', 9999}, sound.completion(), Extent.CONTINUATION, OptionalInt.empty());
    try (Engine engine = engine(ROOM)) {
      List<TextEvent> events = events(engine.submit(List.of(sound, unknown, sound)), 3);
      assertThat(text(events, 0)).isEqualTo(alone);
      assertThat(text(events, 2)).isEqualTo(alone);
      assertThat(last(events, 1).failure().orElseThrow()).contains("Token 9999");
      assertThat(events(engine.submit(List.of(sound)), 1)).isNotEmpty();
      assertThat(engine.state()).isEqualTo(Engine.State.OK);
    }
  }

  @Test
  void logitsThatAreNoNumbersEndTheTextsThatHaveThem() {
    try (ByteModel broken = ByteModel.open(folder, 64)) {
      spoil(broken, "embedding"); // a token that no gate can rate
      TextRequest sound = request("The sea", 1);
      TextRequest ill = request("q", 1);
      try (Engine engine =
          new Engine(broken.model(), broken.tokenizer(), ROOM, new ServerMetrics())) {
        List<TextEvent> events = events(engine.submit(List.of(ill, sound, ill)), 3);
        assertThat(last(events, 0).failure().orElseThrow()).contains("not all logits are finite");
        assertThat(last(events, 2).failure().orElseThrow()).contains("not all logits are finite");
        assertThat(text(events, 1)).isEqualTo(alone(sound));
        spoil(broken, "head"); // a token that cannot be compared with others
        events = events(engine.submit(List.of(sound)), 1);
        assertThat(last(events, 0).failure().orElseThrow())
            .contains("The model's logits are not finite");
        assertThat(engine.state()).isEqualTo(Engine.State.OK);
      }
    }
  }

  private static void spoil(ByteModel model, String name) {
    try (Scope scope = Scope.open()) {
      for (Parameter parameter : model.model().parameters()) {
        if (parameter.name().equals(name)) {
          parameter.value().select(0, 'q').fill(Double.NaN);
        }
      }
    }
  }

  @Test
  void logProbabilitiesAreThoseOfTheLogits() {
    int[] prompt = opened.tokenizer().encode("The sea and the wind.");
    SamplingSettings hot = new SamplingSettings(Map.of(120, 50.0), 1, 0, 0, 2, 0, 1, 0, 4);
    TextRequest request =
        new TextRequest(prompt, completion(hot, 6), Extent.WHOLE, OptionalInt.of(257));
    List<TokenScore> scores = new ArrayList<>();
    try (Engine engine = engine(ROOM)) {
      events(engine.submit(List.of(request)), 1).forEach(event -> scores.addAll(event.scores()));
    }
    assertThat(scores).hasSize(prompt.length + 6);
    assertThat(scores.get(0)).isEqualTo(TokenScore.ofFirst('T'));
    int[] ids = scores.stream().mapToInt(TokenScore::id).toArray();
    assertThat(ids).startsWith(prompt);
    try (Scope scope = Scope.open()) {
      Tensor logits = opened.model().logits(ids, 1);
      Tensor expected = logits.sub(logits.logSumExp(true, 1));
      for (int i = 1; i < ids.length; i++) {
        double[] row = expected.select(0, i - 1).toDoubles();
        TokenScore score = scores.get(i);
        assertThat(score.logProbability().orElseThrow()).isCloseTo(row[ids[i]], offset(1e-3));
        assertThat(score.likeliest()).hasSize(257);
        assertThat(score.likeliest())
            .allSatisfy(c -> assertThat(c.logProbability()).isCloseTo(row[c.id()], offset(1e-3)));
        assertThat(score.likeliest().stream().mapToDouble(c -> -c.logProbability()).toArray())
            .isSorted();
      }
    }
  }

  @Test
  void aPromptAloneCanBeScored() {
    int[] prompt = opened.tokenizer().encode("x".repeat(40));
    TextRequest request =
        new TextRequest(prompt, completion(drawn(1), 1), Extent.PROMPT, OptionalInt.of(1));
    try (Engine engine = engine(ROOM)) {
      List<TextEvent> events = events(engine.submit(List.of(request)), 1);
      assertThat(events).hasSize(1);
      assertThat(events.get(0).tokens()).isZero();
      assertThat(events.get(0).scores()).hasSize(40);
      assertThat(events.get(0).finish()).contains(Finish.LENGTH);
    }
  }

  @Test
  void nothingIsKeptWhateverHappens() throws InterruptedException {
    long before = Tensor.live();
    try (Engine engine = engine(new EngineSettings(4, 8192, 64, 16))) {
      List<Submission> submissions =
          IntStream.range(0, 12)
              .mapToObj(
                  i ->
                      engine.submit(
                          List.of(request("text " + i, drawn(i), i < 11 ? 1 + 10 * i : 2000))))
              .toList();
      submissions.get(11).cancel();
      submissions.get(3).cancel();
      for (Submission submission : submissions) {
        Optional<TextEvent> event = submission.next(LONG);
        assertThat(event).isPresent();
      }
    } // the rest is given up
    assertThat(Tensor.live()).isEqualTo(before);
  }
}
