package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchLmCommandTest {
  private static final String SMALL =
      "bench lm --preset tiny --set microBatch=null --model.hidden=32 --sequence 32 --batch 4 --prompt 8 --generate 3,1"
          + " --texts 2 --runs 1 --threads 1";

  private static CommandRun run(String line) {
    return CommandRun.of(line.split(" "));
  }

  private static JsonNode json(String line) throws IOException {
    CommandRun run = run(line);
    assertThat(run.exitCode()).as(run.err()).isZero();
    return new ObjectMapper()
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .readTree(run.out());
  }

  @Test
  void oneRankPrintsTablesAndAVerdictForEachRow() {
    CommandRun run = run(SMALL);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out())
        .contains(
            "1 rank; processor, threads of a rank: 1; steps of 4 sequences of 32 tokens",
            "fine-grained",
            "dense",
            "training, top-2 on 1 rank: BigMac",
            "1 token behind 8, top-2 on 1 rank: BigMac",
            "3 tokens behind 8, top-2 on 1 rank: BigMac")
        .doesNotContain("{");
  }

  @Test
  void simulatedRanksPrintOneDocument() throws IOException {
    JsonNode document = json(SMALL + " --simulate 2 --top-k 1,2 --json");
    JsonNode settings = document.path("settings");
    assertThat(settings.path("ranks").asInt()).isEqualTo(2);
    assertThat(settings.at("/training/microBatch").asInt()).isEqualTo(2); // a rank's share at once
    assertThat(settings.path("lengths")).map(JsonNode::asInt).containsExactly(1, 3);
    JsonNode rows = document.path("rows");
    assertThat(rows).hasSize(2 * 3 * (1 + 2)); // top-k, structures, a step and two lengths
    for (JsonNode row : rows) {
      assertThat(row.path("rival").asText()).isEqualTo("fine-grained");
      assertThat(row.path("subjectMillis").asDouble()).isPositive();
      assertThat(row.path("tokensPerSecond").asDouble()).isPositive();
      assertThat(row.path("weights").asLong()).isPositive();
      boolean step = row.path("measure").asText().equals("training");
      assertThat(row.path("tokens").asInt()).isEqualTo(step ? 128 : 4 * row.path("length").asInt());
    }
  }

  /** BigMac's rows are a quarter as wide, and a dense model sends none. */
  @Test
  void whatTravelsIsCounted() throws IOException {
    JsonNode rows = json(SMALL + " --ratio 0.25 --simulate 2 --json").path("rows");
    for (String measure : List.of("training", "generation")) {
      long fine = wireBytes(rows, measure, "fine-grained");
      long narrow = wireBytes(rows, measure, "bigmac");
      assertThat(fine).isPositive();
      // Routers choose as they like, so that as many rows leave a rank only on the whole.
      assertThat((double) narrow / fine).isBetween(0.15, 0.4);
      assertThat(wireBytes(rows, measure, "dense")).isZero();
    }
  }

  private static long wireBytes(JsonNode rows, String measure, String subject) {
    for (JsonNode row : rows) {
      if (row.path("measure").asText().equals(measure)
          && row.path("subject").asText().equals(subject)
          && row.has("wireBytes")) {
        return row.path("wireBytes").asLong();
      }
    }
    throw new AssertionError("No traffic of " + measure + ", " + subject);
  }

  @Test
  void oneMeasureAloneMayBeTaken() throws IOException {
    for (String measure : List.of("training", "generation")) {
      JsonNode rows = json(SMALL + " --arms fine-grained --json --measure " + measure).path("rows");
      assertThat(rows).isNotEmpty();
      assertThat(rows).allMatch(row -> row.path("measure").asText().equals(measure));
    }
  }

  @Test
  @Tag("slow")
  @EnabledOnOs(OS.LINUX)
  void processesMeasureTogether() {
    List<String> words = new ArrayList<>(List.of("launch", "--nproc", "2", "--"));
    words.addAll(List.of(SMALL.split(" ")));
    CommandRun run = CommandRun.of(words.toArray(String[]::new));
    assertThat(JvmNotice.without(run.err())).isEmpty();
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("[0] 2 ranks, 2 per node", "[0] training, top-2 on 2 ranks");
  }

  @ParameterizedTest
  @CsvSource({
    "--top-k 99, 99",
    "--top-k x, topK",
    "--runs 0, 0 runs",
    "--prompt 0, 0 tokens of a prompt",
    "--generate 0, 0 generated tokens",
    "--texts 0, 0 texts",
    "--prompt 126, do not fit a context of 128",
    "--measure wild, wild",
    "--arms dense, fine-grained",
    "--arms wild, wild",
    "--simulate 3 --prompt 8, micro-batches a step on 3 ranks",
    "--ratio 2, ratio of 2",
    "--threads 0, threads",
    "--device cuda --simulate 2, Simulated ranks",
    "--set model.structure=dense, A dense model has no experts"
  })
  void whatCannotBeCostsOneLine(String options, String named) {
    CommandRun run = run("bench lm --preset tiny " + options);
    assertThat(run.exitCode()).as(run.err()).isIn(2, 3);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().strip().lines()).hasSize(1);
    assertThat(run.err()).startsWith("gossamer: ").contains(named);
  }
}
