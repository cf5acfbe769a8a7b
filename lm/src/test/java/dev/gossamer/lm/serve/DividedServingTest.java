package dev.gossamer.lm.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.ByteModel;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.lm.serve.TextRequest.Extent;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An engine on the first of several ranks; the others lend their experts. */
@Timeout(120)
class DividedServingTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final int CONTEXT = 256;
  private static final EngineSettings ROOM = new EngineSettings(4, 4096, 64, 16);

  @TempDir private Path folder;

  private void onRank(Communicator world, Consumer<ByteModel> before, Consumer<Engine> work) {
    try (ByteModel opened = ByteModel.open(folder, CONTEXT, RankGrid.flat(world))) {
      before.accept(opened);
      opened
          .model()
          .onFirstRank(
              () -> {
                try (Engine engine =
                    new Engine(opened.model(), opened.tokenizer(), ROOM, new ServerMetrics())) {
                  work.accept(engine);
                }
              });
    }
  }

  private static TextRequest request(String prompt, int tokens) {
    int[] ids = prompt.chars().toArray(); // a token is a byte
    Completion greedy = new Completion(SamplingSettings.GREEDY, tokens, List.of(), true, true);
    return new TextRequest(ids, greedy, Extent.CONTINUATION, OptionalInt.empty());
  }

  /** What became of a request of one text: the text, or why it failed. */
  private static String outcome(Submission submission) {
    StringBuilder text = new StringBuilder();
    try {
      while (true) {
        TextEvent event = submission.next(LONG).orElseThrow();
        text.append(event.piece());
        if (event.isLast()) {
          return event.failure().orElse(text.toString());
        }
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<String> outcomes(Engine engine, List<TextRequest> requests) {
    List<Submission> all = requests.stream().map(one -> engine.submit(List.of(one))).toList();
    return all.stream().map(DividedServingTest::outcome).toList();
  }

  private List<String> served(int ranks, Consumer<ByteModel> before, List<TextRequest> requests) {
    List<String> found = new ArrayList<>(); // of the first rank
    LocalRanks.run(
        ranks, world -> onRank(world, before, engine -> found.addAll(outcomes(engine, requests))));
    return found;
  }

  private static List<TextRequest> ten() {
    List<TextRequest> requests = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      requests.add(request("The sea and the wind. ".repeat(1 + i % 4) + i, 8 + 3 * i));
    }
    return requests;
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void textsAreThoseOfOneRank(int ranks) {
    List<String> alone = served(1, model -> {}, ten());
    assertThat(alone).hasSize(10).doesNotContain("");
    assertThat(served(ranks, model -> {}, ten())).isEqualTo(alone);
  }

  /** No gate can rate a {@code q}, which is found out on the first rank amid a pass. */
  private static void spoil(ByteModel opened) {
    try (Scope scope = Scope.open()) {
      for (Parameter parameter : opened.model().parameters()) {
        if (parameter.name().equals("embedding")) {
          parameter.value().select(0, 'q').fill(Double.NaN);
        }
      }
    }
  }

  @Test
  void aTextThatFailsLeavesTheRanksInStep() {
    List<TextRequest> requests =
        List.of(request("The sea", 1), request("q", 9), request("The wind", 1), request("q", 2));
    List<String> found = served(2, DividedServingTest::spoil, requests);
    List<String> alone = served(1, DividedServingTest::spoil, requests);
    assertThat(found).isEqualTo(alone);
    assertThat(found.get(1)).contains("not all logits are finite");
    assertThat(found.get(2)).hasSize(1);
  }

  @Test
  @Tag("slow")
  void idleRanksDoNotRunOutOfPatience() {
    TextRequest request = request("The sea", 5);
    List<String> found = new ArrayList<>();
    LocalRanks.run(
        2,
        Duration.ofSeconds(3),
        world ->
            onRank(
                world,
                model -> {},
                engine -> {
                  found.addAll(outcomes(engine, List.of(request)));
                  idle(Duration.ofSeconds(7));
                  found.addAll(outcomes(engine, List.of(request)));
                }));
    assertThat(found).hasSize(2);
    assertThat(found.get(1)).isEqualTo(found.get(0));
  }

  private static void idle(Duration duration) {
    try {
      new CountDownLatch(1).await(duration.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Loses the second rank and expects the first one's engine to end and to say why.
   *
   * @param untilLost what the second rank does before it fails
   * @param begin what the first one asks of its engine, which then waits for its end
   */
  private void assertEndsTheEngine(
      Consumer<Communicator> untilLost, Consumer<ByteModel> before, Consumer<Engine> begin) {
    List<Optional<GossamerException>> failures = new ArrayList<>();
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2,
                    world -> {
                      if (world.rank() == 1) {
                        try (ByteModel opened =
                            ByteModel.open(folder, CONTEXT, RankGrid.flat(world))) {
                          untilLost.accept(world);
                          throw new GossamerException("No room here", "Make some");
                        }
                      }
                      onRank(
                          world,
                          before,
                          engine -> {
                            begin.accept(engine);
                            while (engine.state() == Engine.State.OK) {
                              idle(Duration.ofMillis(10));
                            }
                            failures.add(engine.failure());
                          });
                    }))
        .isInstanceOf(CommunicationException.class)
        .hasMessageContaining("Rank 1 of 2 failed: No room here");
    assertThat(failures.get(0).orElseThrow())
        .isInstanceOf(CommunicationException.class)
        .hasMessageContaining("No room here");
  }

  @Test
  void aRankThatFailsEndsTheEngineThoughItIsIdle() {
    assertEndsTheEngine(world -> {}, model -> {}, engine -> {});
  }

  /** The text's failure is thrown, and with it that of the ranks who should hear of it. */
  @Test
  void aRankThatIsLostWhileATextFailsEndsTheEngine() {
    assertEndsTheEngine(
        DividedServingTest::awaitPass,
        DividedServingTest::spoil,
        engine -> engine.submit(List.of(request("q", 9))));
  }

  private static void awaitPass(Communicator world) {
    try (Scope scope = Scope.open()) {
      Tensor word = Tensor.of(new long[] {-1}, 1);
      while (word.item() != 0) { // 0: a pass begins
        world.broadcast(word, 0);
      }
    }
  }
}
