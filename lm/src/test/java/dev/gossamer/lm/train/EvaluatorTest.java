package dev.gossamer.lm.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.Texts;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EvaluatorTest {
  private static final int WINDOWS = 7;

  @TempDir private static Path folder;
  private static Path data;

  @BeforeAll
  static void tokenize() {
    data = Texts.tokens(folder, 257);
  }

  /** The loss as each rank has it. */
  private static Map<Integer, Double> losses(int ranks, int together) {
    TokenFile text = TokenFile.open(data.resolve("train.bin"));
    Map<Integer, Double> losses = new ConcurrentHashMap<>();
    LocalRanks.run(
        ranks,
        world -> {
          TrainSettings settings = TinyRuns.settings();
          try (Threads threads = new Threads(1);
              TextTokenizer tokenizer = TextTokenizer.open(data.resolve("tokenizer.json"));
              Trainer trainer = new Trainer(settings, text, world, ranks, Device.CPU, threads)) {
            Evaluator evaluator = new Evaluator(text, tokenizer, 24, WINDOWS);
            Evaluation seen = evaluator.evaluate(trainer.model(), world, 0, together);
            assertThat(seen.tokens()).isEqualTo(WINDOWS * 24);
            losses.put(world.rank(), seen.loss());
          }
        });
    return losses;
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 7, 100})
  void windowsTogetherLoseWhatTheyLoseAlone(int together) {
    assertThat(losses(1, together).get(0)).isCloseTo(losses(1, 1).get(0), offset(1e-9));
  }

  @Test
  void ranksTakePassesInTurn() {
    Map<Integer, Double> two = losses(2, 3);
    assertThat(two.get(0)).isEqualTo(two.get(1)).isCloseTo(losses(1, 3).get(0), offset(1e-9));
  }
}
