package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchMoeCommandTest {
  private static final String SMALL =
      "bench moe --hidden 64 --experts 16 --tokens 32 --runs 1 --threads 1";

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
    assertThat(run.out()).contains("top-2 on 1 ranks").doesNotContain("{");
  }

  @ParameterizedTest
  @CsvSource({
    "--top-k 99, top-99",
    "--routing wild, wild",
    "--wire int8, int8",
    "--simulate 0, simulated",
    "--comm-timeout 0, time-out",
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
