package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.CudaSetup;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchExchangeCommandTest {
  private static final String SMALL = "bench exchange --sizes 1000,5 --runs 2 --seconds 0";

  private static CommandRun run(String line) {
    return CommandRun.of(line.split(" "));
  }

  @Test
  void simulatedRanksPrintOneDocument() throws IOException {
    CommandRun run = run(SMALL + " --simulate 4 --per-node 2 --line 200mbit --json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    JsonNode document =
        new ObjectMapper()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .readTree(run.out());
    assertThat(document.path("settings").path("lineBitsPerSecond").asLong()).isEqualTo(200_000_000);
    assertThat(document.path("rows")).hasSize(4);
    JsonNode first = document.path("rows").get(0);
    assertThat(first.path("nodeBytes").asLong()).isEqualTo(1000);
    assertThat(first.path("lineShare").asDouble())
        .isEqualTo(first.path("nodeBitsPerSecond").asDouble() / 2e8);
    assertThat(run.err()).contains("1000 bytes on 4 ranks", "all-reduce", "of the line");
  }

  @Test
  void oneRankSendsNothing() {
    CommandRun run = run(SMALL);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out()).contains("1000 bytes on 1 ranks").doesNotContain("{");
  }

  @Test
  void ncclWithoutACardCostsOneLine() {
    assumeFalse(CudaSetup.here().card(), "there is a card");
    for (String command : new String[] {SMALL, "bench moe"}) {
      CommandRun run = run(command + " --backend nccl");
      assertThat(run.exitCode()).isEqualTo(FailureLine.ENVIRONMENT);
      assertThat(run.out()).isEmpty();
      assertThat(run.err())
          .matches("gossamer: NCCL cannot carry .*no NVIDIA card. Use --backend gloo.*\\R");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--sizes 0, bytes",
    "--runs 0, runs",
    "--seconds -1, -1.0 s",
    "--line fast, fast",
    "--backend mpi, mpi",
    "--simulate 2 --backend nccl, simulated",
    "--comm-timeout 0, time-out"
  })
  void whatCannotBeCostsOneLine(String options, String named) {
    CommandRun run = run("bench exchange " + options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().strip().lines()).hasSize(1);
    assertThat(run.err()).contains(named);
  }
}
