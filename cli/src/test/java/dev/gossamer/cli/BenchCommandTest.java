package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.cuda.Card;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BenchCommandTest {
  private static final String[] SMALL = {
    "bench",
    "attention",
    "--tokens",
    "1024",
    "--heads",
    "1",
    "--threads",
    "1",
    "--runs",
    "1",
    "--subjects",
    "sparge@.25"
  };

  private static String[] small(String more) {
    String[] args = java.util.Arrays.copyOf(SMALL, SMALL.length + 1);
    args[SMALL.length] = more;
    return args;
  }

  @Test
  void listsItsBenchmarks() {
    assertThat(CommandRun.of("bench", "--help").out()).contains("attention", "generate");
    assertThat(CommandRun.of("--help").out()).contains("  bench ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"attention", "generate"})
  void everyBenchmarkExplainsItself(String name) {
    assertThat(CommandRun.of("bench", name, "--help").out())
        .startsWith("Usage: gossamer bench " + name)
        .contains("--runs", "--quality", "--json", "(default: ");
  }

  @Test
  void withoutACardOneLineSaysWhatIsMissing() {
    assumeTrue(Card.all().isEmpty(), "this machine has a card");
    for (String[] args :
        List.of(
            new String[] {"bench", "attention", "--device", "cuda"},
            new String[] {"generate", "a cat", "--device", "cuda:1", "--dtype", "bf16"})) {
      CommandRun run = CommandRun.of(args);
      assertThat(run.exitCode()).isEqualTo(4);
      assertThat(run.err()).matches("gossamer: Cannot use an NVIDIA card: .+\\R");
      assertThat(run.out()).isEmpty();
    }
  }

  @Test
  void optionsOfACardAreForACard() {
    CommandRun shapes = CommandRun.of("bench", "attention", "--shapes", "wan-14b");
    assertThat(shapes.exitCode()).isEqualTo(2);
    assertThat(shapes.err()).contains("--shapes is for a card. Add --device cuda");
    CommandRun both = CommandRun.of("bench", "attention", "--device", "cuda", "--tokens", "1024");
    assertThat(both.exitCode()).isEqualTo(2);
    CommandRun unknown =
        CommandRun.of("bench", "attention", "--device", "cuda", "--shapes", "wan-15b");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("Use one of: wan-1.3b, cogvideox-2b");
  }

  @Test
  void printsATable() {
    CommandRun run = CommandRun.of(SMALL);
    assertThat(run.err()).isEmpty();
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("sparge@.25", "libtorch sdpa fp32", "Load average");
  }

  @Test
  void jsonIsTheOnlyThingOnStdout() throws JsonProcessingException {
    CommandRun run = CommandRun.of(small("--json"));
    JsonNode document = new ObjectMapper().readTree(run.out());
    assertThat(document.at("/rows").size()).isEqualTo(3);
    assertThat(document.at("/rows/1/subject").asText()).isEqualTo("sparge@.25");
    assertThat(document.at("/settings/threads").asInt()).isEqualTo(1);
    assertThat(run.err()).contains("Load average");
  }

  @Test
  void badInputIsOneLineBeforeAnythingIsMeasured() {
    String[][] wrong = {
      {"bench"},
      {"bench", "nothing"},
      {"bench", "attention", "--tokens", "1000"},
      {"bench", "attention", "--subjects", "nothing@.25"},
      {"bench", "attention", "--subjects", "paper@7"},
      {"bench", "attention", "--threads", "0"},
      {"bench", "generate", "--runs", "0"},
      {"bench", "generate", "--subjects", "paper+nothing=1"},
    };
    for (String[] args : wrong) {
      CommandRun run = CommandRun.of(args);
      assertThat(run.exitCode()).as(String.join(" ", args)).isEqualTo(2);
      assertThat(run.err()).as(String.join(" ", args)).matches("gossamer: .+\\R");
      assertThat(run.out()).isEmpty();
    }
  }

  @Test
  void interruptionEndsIt() {
    assertThat(CommandRun.interruptible(() -> true, SMALL).exitCode()).isEqualTo(130);
  }

  @Test
  void aMissingModelIsBadInput(@TempDir Path temp) {
    CommandRun run = CommandRun.of("bench", "generate", "--model", temp.toString());
    assertThat(run.exitCode()).isEqualTo(3);
    assertThat(run.err()).matches("gossamer: .+\\R");
  }
}
