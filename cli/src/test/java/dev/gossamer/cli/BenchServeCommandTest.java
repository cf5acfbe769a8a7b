package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchServeCommandTest {
  private static final String SMALL =
      "bench serve --concurrency 1,3 --requests 4 --prompt 6 --generate 5 --runs 2";

  private static CommandRun run(String line) {
    return CommandRun.of(line.split(" "));
  }

  private static JsonNode rows(String line, String rival) throws IOException {
    CommandRun run = run(line + " --json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    JsonNode document =
        new ObjectMapper()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .readTree(run.out());
    JsonNode rows = document.path("rows");
    for (JsonNode row : rows) {
      assertThat(row.path("rival").asText()).isEqualTo(rival);
      assertThat(row.path("errors").asInt()).isZero();
      assertThat(row.at("/subjectTiming/runs")).hasSize(2);
      double seconds = row.path("subjectMillis").asDouble() / 1e3;
      assertThat(row.path("requestsPerSecond").asDouble()).isEqualTo(4 / seconds);
      assertThat(row.path("tokensPerSecond").asDouble()).isEqualTo(4 * 5 / seconds);
      for (String figure : new String[] {"firstMillis", "betweenMillis"}) {
        double middle = row.path(figure + "P50").asDouble();
        assertThat(middle).isPositive();
        assertThat(row.path(figure + "P95").asDouble()).isGreaterThanOrEqualTo(middle);
      }
    }
    return rows;
  }

  @Test
  void aServerHereIsComparedWithCompleting() throws IOException {
    JsonNode rows = rows(SMALL + " --threads 1", "complete");
    assertThat(rows)
        .map(row -> row.path("subject").asText())
        .containsExactly("complete", "serve", "serve");
    assertThat(rows).map(row -> row.path("atOnce").asInt()).containsExactly(1, 1, 3);
  }

  @Test
  void thereIsATable() {
    CommandRun run = run(SMALL + " --threads 1");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out())
        .startsWith("4 requests of 5 tokens behind 6, batch 3; median of 2 runs, in turn")
        .contains("x complete", "Load average");
  }

  @Test
  void aServerElsewhereIsComparedWithItself() throws Exception {
    StartedServer server = StartedServer.with("--batch", "2");
    JsonNode rows = rows(SMALL + " --url " + server.url(), "serve");
    assertThat(rows).map(row -> row.path("atOnce").asInt()).containsExactly(1, 3);
    server.stop();
  }

  @ParameterizedTest
  @CsvSource({
    "--concurrency 0, 2, requests at once",
    "--requests 0, 2, 0 requests",
    "--prompt 250 --generate 20, 2, do not fit a context of 256",
    "--generate 0, 2, 0 new tokens",
    "--runs 0, 2, 0 runs",
    "--threads 0, 2, threads",
    "--model none, 3, no model in none",
    "--url http://127.0.0.1:1/v1, 4, No server answers",
    "--url http://127.0.0.1:1/v1 --batch 2, 2, has its own model",
    "--url http://127.0.0.1:1/v1 --threads 2, 2, has its own model",
    "--url nothing, 4, no server at nothing"
  })
  void whatCannotBeCostsOneLine(String options, int exitCode, String named) {
    CommandRun run = run("bench serve " + options);
    assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().strip().lines()).hasSize(1);
    assertThat(run.err()).startsWith("gossamer: ").contains(named);
  }
}
