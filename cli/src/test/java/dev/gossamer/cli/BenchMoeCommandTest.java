package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BenchMoeCommandTest {
  private static final String SMALL =
      "bench moe --hidden 64 --experts 16 --tokens 32 --runs 1 --threads 1";

  @TempDir Path temp;

  private static CommandRun run(String line) {
    return CommandRun.of(line.split(" "));
  }

  @Test
  void simulatedRanksPrintOneDocument() throws IOException {
    CommandRun run = run(SMALL + " --simulate 2 --top-k 2,4 --chunks 2 --wire bf16 --json");
    assertThat(run.exitCode()).isZero();
    JsonNode document =
        new ObjectMapper()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .readTree(run.out());
    assertThat(document.path("settings").path("ranks").asInt()).isEqualTo(2);
    assertThat(document.path("rows")).hasSize(6);
    for (JsonNode row : document.path("rows")) {
      assertThat(row.path("wireBytes").asLong())
          .isPositive()
          .isEqualTo(row.path("wireBytesPredicted").asLong());
    }
    assertThat(run.err()).contains("fine-grained", "bigmac", "vanilla");
  }

  @Test
  void oneRankNeedsNobody() {
    CommandRun run = run(SMALL + " --top-k 2");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("1 rank, 32 tokens each", "top-2: BigMac").doesNotContain("{");
  }

  @Test
  void aLayerMayHaveFewerExpertsThanAreVisitedByDefault() {
    CommandRun run =
        run("bench moe --hidden 64 --experts 4 --top-k 2 --tokens 32 --runs 1 --threads 1");
    assertThat(run.err()).isEmpty();
    assertThat(run.out()).contains("4 experts", "top-2: BigMac");
  }

  @ParameterizedTest
  @CsvSource({"--tokens 2000000000, top-8", "--tokens -5, -5 tokens", "--runs 0, 0 runs"})
  void numbersThatCannotBeAreNamed(String options, String named) {
    CommandRun run = run("bench moe " + options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).matches("gossamer: .+\\R").contains(named);
  }

  /** Whatever the routing and the ways, the bytes are those that the routing asks for. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "--routing random --dispatch deduplicated --wire bf16",
        "--routing gate --dispatch deduplicated --chunks 2",
        "--routing biased:2 --dispatch two-level",
        "--routing one:3"
      })
  void ranksComputeWhatOneRankDoesAndSendWhatIsPredicted(String how) throws IOException {
    JsonNode rows =
        json(SMALL + " --top-k 4 --simulate 4 --per-node 2 --check --json " + how).path("rows");
    assertThat(rows).hasSize(3);
    for (JsonNode row : rows) {
      assertThat(row.path("wireBytes").asLong())
          .isPositive()
          .isEqualTo(row.path("wireBytesPredicted").asLong());
      double allowed = how.contains("bf16") ? 5e-2 : 1e-5;
      assertThat(row.path("outputOffOneRank").asDouble(1)).isLessThan(allowed);
      assertThat(row.path("gradientsOffOneRank").asDouble(1)).isLessThan(allowed);
    }
  }

  @Test
  @Tag("slow")
  @EnabledOnOs(OS.LINUX)
  void processesComputeWhatOneRankDoes() {
    List<String> words = new ArrayList<>(List.of("launch", "--nproc", "4", "--"));
    words.addAll(List.of((SMALL + " --top-k 4 --routing gate --chunks 2 --check").split(" ")));
    CommandRun run = CommandRun.of(words.toArray(String[]::new));
    assertThat(JvmNotice.without(run.err())).isEmpty();
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("[0] 4 ranks, 4 per node", "gradients off");
  }

  @Test
  void aRecordedRoutingIsReplayed() throws IOException {
    Path file = temp.resolve("routing.safetensors");
    String small = SMALL + " --top-k 2 --simulate 2 --json";
    JsonNode first = json(small + " --routing biased:1 --record " + file);
    JsonNode second = json(small + " --replay " + file);
    assertThat(second.at("/rows/0/loadMaxOverMean").asDouble())
        .isGreaterThan(1)
        .isEqualTo(first.at("/rows/0/loadMaxOverMean").asDouble());
    CommandRun other = run(SMALL + " --top-k 4 --simulate 2 --replay " + file);
    assertThat(other.exitCode()).isNotZero();
    assertThat(other.err().strip().lines()).hasSize(1);
    assertThat(other.err()).contains("it has no top-4.fine-grained.rank.0.experts");
  }

  private static JsonNode json(String line) throws IOException {
    return new ObjectMapper().readTree(run(line).out());
  }

  @Test
  void filesThatCannotBeCostOneLine() throws IOException {
    Path broken = Files.writeString(temp.resolve("broken"), "no routing at all");
    for (String option : List.of("--replay " + broken, "--record " + temp, "--chart " + temp)) {
      CommandRun run = run(SMALL + " --top-k 2 " + option);
      assertThat(run.exitCode()).as(option).isEqualTo(option.contains("replay") ? 3 : 4);
      assertThat(run.err()).matches("gossamer: Cannot .+\\R");
      assertThat(run.out()).isEmpty();
    }
  }

  @Test
  void drawsAChart() {
    Path chart = temp.resolve("moe.png");
    assertThat(run(SMALL + " --top-k 2,4 --chart " + chart).exitCode()).isZero();
    assertThat(chart).isNotEmptyFile();
  }

  @ParameterizedTest
  @CsvSource({
    "--top-k 99, top-99",
    "--routing wild, wild",
    "--routing biased, biased",
    "--routing one:x, one:x",
    "--routing biased:-1, deviation",
    "--routing gate --replay absent, Both",
    "--wire int8, int8",
    "--simulate 0, simulated",
    "--simulate 1025, simulated",
    "--comm-timeout 0, time-out",
    "--threads 0, threads",
    "--simulate 4 --per-node 3 --dispatch two-level, nodes of 3",
    "--latent 999, latent",
    "--chunks 0, chunks"
  })
  void whatCannotBeCostsOneLine(String options, String named) {
    CommandRun run = run(SMALL + " " + options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().strip().lines()).hasSize(1);
    assertThat(run.err()).contains(named);
  }
}
