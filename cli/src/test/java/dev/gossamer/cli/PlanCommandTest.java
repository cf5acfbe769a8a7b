package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlanCommandTest {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  @TempDir Path temp;

  private static CommandRun plan(String line) {
    return CommandRun.of(("plan " + line).strip().split(" "));
  }

  @Test
  void explainsItself() {
    CommandRun run = plan("--help");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out())
        .startsWith("Usage: gossamer plan")
        .contains("--model", "--cluster", "--dispatch", "--paper", "--chart", "--json")
        .containsPattern("\\(default:\\s+paper-cluster\\)");
    assertThat(CommandRun.of("--help").out()).containsSubsequence("Clusters\n", "  plan ");
  }

  @Test
  void printsTablesAndTheVerdict() {
    CommandRun run = plan("");
    assertThat(run.exitCode()).isZero();
    assertThat(run.err()).isEmpty();
    assertThat(run.out())
        .containsSubsequence("paper-cluster: 32 ranks", "fine-grained", "ranks ", "top-k", "link x")
        .contains("BigMac pays: a step takes ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--json", "--paper --json", "--cluster cpu-host --ranks 1 --json"})
  void jsonIsTheOnlyThingOnStdout(String line) throws IOException {
    CommandRun run = plan(line);
    JsonNode document = JSON.readTree(run.out());
    assertThat(document.isObject()).isTrue();
    assertThat(run.out()).doesNotContain("NaN", "Infinity");
    assertThat(run.err()).isNotEmpty();
  }

  @Test
  void optionsReachTheModelTheClusterAndTheirUse() throws IOException {
    JsonNode document =
        JSON.readTree(
            plan("--model gpt3-xl --top-k 4 --ratio 0.125 --match params --layers 12 --experts 128"
                    + " --cluster a100-infiniband --ranks 256 --expert-parallel 16 --tokens 2048"
                    + " --micro-batches 2 --dispatch two-level --chunks 2 --wire fp32"
                    + " --imbalance 1.2 --phase forward --activations kept --optimizer sharded"
                    + " --json")
                .out());
    assertThat(document.at("/model/hidden").asInt()).isEqualTo(2048);
    assertThat(document.at("/model/topK").asInt()).isEqualTo(4);
    assertThat(document.at("/model/ratio").asDouble()).isEqualTo(0.125);
    assertThat(document.at("/model/match").asText()).isEqualTo("params");
    assertThat(document.at("/model/layers").asInt()).isEqualTo(12);
    assertThat(document.at("/model/experts").asInt()).isEqualTo(128);
    assertThat(document.at("/cluster/name").asText()).isEqualTo("a100-infiniband");
    assertThat(document.at("/settings/ranks").asInt()).isEqualTo(256);
    assertThat(document.at("/settings/expertParallel").asInt()).isEqualTo(16);
    assertThat(document.at("/settings/tokensPerRank").asInt()).isEqualTo(2048);
    assertThat(document.at("/settings/microBatches").asInt()).isEqualTo(2);
    assertThat(document.at("/settings/dispatch").asText()).isEqualTo("two-level");
    assertThat(document.at("/settings/chunks").asInt()).isEqualTo(2);
    assertThat(document.at("/settings/wire").asText()).isEqualTo("fp32");
    assertThat(document.at("/settings/imbalance").asDouble()).isEqualTo(1.2);
    assertThat(document.at("/settings/phase").asText()).isEqualTo("forward");
    assertThat(document.at("/settings/activations").asText()).isEqualTo("kept");
    assertThat(document.at("/settings/optimizer").asText()).isEqualTo("sharded");
    assertThat(document.at("/matched/latent").asInt()).isEqualTo(256);
  }

  @Test
  void aSmallModelIsShapedByItsWidth() throws IOException {
    JsonNode model = JSON.readTree(plan("--hidden 512 --gated --json").out()).at("/model");
    assertThat(model.at("/inner").asInt()).isEqualTo(128);
    assertThat(model.at("/gated").asBoolean()).isTrue();
  }

  @Test
  void saysWhenBigMacDoesNotPay() {
    assertThat(plan("--cluster cpu-host").out())
        .contains("BigMac does not pay here", "It pays below", "the formula says below");
    assertThat(plan("--ranks 8 --expert-parallel 1").out())
        .contains("BigMac does not pay here", "nothing travels");
  }

  @Test
  void readsFilesOfOnesOwn() throws IOException {
    Path model =
        Files.writeString(
            temp.resolve("model.json"),
            "{\"hidden\": 256, \"layers\": 4, \"experts\": 16, \"topK\": 4, \"inner\": 64}");
    Path cluster =
        Files.writeString(
            temp.resolve("cluster.json"),
            "{\"ranksPerNode\": 2, \"ranks\": 8, \"peakTflops\": 1, \"denseEfficiency\": 0.5,"
                + " \"memoryGB\": 8, \"memoryGBps\": 100,"
                + " \"nodeLink\": {\"latencyMicros\": 20, \"GBps\": 1},"
                + " \"localLink\": {\"latencyMicros\": 5, \"GBps\": 5}}");
    CommandRun run = plan("--model " + model + " --cluster " + cluster);
    assertThat(run.err()).isEmpty();
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("model.json: 4 layers, width 256", "8 ranks, 2 per node");
  }

  @Test
  void drawsAChart() {
    Path chart = temp.resolve("plan.png");
    assertThat(plan("--cluster pcie-host --chart " + chart).exitCode()).isZero();
    assertThat(chart).isNotEmptyFile();
    for (String file : List.of(temp.resolve("absent/plan.png") + "", temp + "", "/")) {
      CommandRun nowhere = plan("--chart " + file);
      assertThat(nowhere.exitCode()).as(file).isEqualTo(4);
      assertThat(nowhere.err()).startsWith("gossamer: Cannot write ").matches("gossamer: .+\\R");
      assertThat(nowhere.out()).isEmpty();
    }
  }

  @Test
  void thePapersTablesStandBesideOurs() {
    CommandRun run = plan("--paper");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out())
        .containsSubsequence("Table 1", "Table 3", "Table 4", "3490.67", "Table 9", "Figure 4");
  }

  @Test
  void aRunIsHeldAgainstTheProfileOfItsCluster() throws IOException {
    String bench = "bench moe --hidden 64 --experts 16 --tokens 32 --runs 1 --top-k 2 --json";
    Path run = Files.writeString(temp.resolve("run.json"), CommandRun.of(bench.split(" ")).out());
    Path cluster =
        Files.writeString(
            temp.resolve("cluster.json"),
            "{\"ranksPerNode\": 1, \"peakTflops\": 0.05, \"denseEfficiency\": 1, \"memoryGB\": 8,"
                + " \"memoryGBps\": 10, \"localLink\": {\"latencyMicros\": 5, \"GBps\": 5},"
                + " \"handling\": {\"expertMicros\": 100}}");
    CommandRun compared = plan("--compare " + run + " --cluster " + cluster);
    assertThat(compared.err()).isEmpty();
    assertThat(compared.out())
        .containsSubsequence("compute ms", "fine-grained", "bigmac", "vanilla", "of 3 steps");
    JsonNode document =
        JSON.readTree(plan("--compare " + run + " --cluster " + cluster + " --json").out());
    assertThat(document.at("/rows/0/total/predictedMillis").asDouble()).isPositive();
  }

  @Test
  void whatCannotBeCalibratedOrComparedCostsOneLine() {
    String absent = temp.resolve("absent.json").toString();
    assertRefused("--compare " + absent, 3);
    assertRefused("--calibrate " + temp, 4);
    assertRefused("--calibrate " + absent + " --compare " + absent, 2);
    assertRefused("--calibrate " + absent + " --threads 0", 2);
    assertRefused("--calibrate " + absent + " --simulate 0", 2);
    assertRefused("--simulate 2", 2);
    assertRefused("--threads 2", 2);
    assertThat(temp).isEmptyDirectory();
  }

  private static void assertRefused(String line, int exitCode) {
    CommandRun run = plan(line);
    assertThat(run.err()).matches("gossamer: .+\\R");
    assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
    assertThat(run.out()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "more",
        "--rank 8",
        "--ranks many",
        "--ranks 12",
        "--ranks 0",
        "--model gpt5",
        "--cluster moon",
        "--top-k 65",
        "--ratio 0",
        "--ratio NaN",
        "--ratio 1",
        "--match all",
        "--top-k 1 --match flops",
        "--dispatch fast",
        "--phase sleep",
        "--chunks 0",
        "--wire int8",
        "--imbalance 0.9",
        "--expert-parallel 7",
        "--expert-parallel 0",
        "--cluster pcie-host --ranks 16",
        "--tokens 0"
      })
  void wrongUsageIsOneLineAndExitCode2(String line) {
    CommandRun run = plan(line);
    assertThat(run.err()).matches("gossamer: .+\\R");
    assertThat(run.exitCode()).as(run.err()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
  }

  @Test
  void aBadFileIsOneLineAndExitCode3() throws IOException {
    Path unknown = Files.writeString(temp.resolve("unknown.json"), "{\"hidden\": 8, \"depth\": 4}");
    Path broken = Files.writeString(temp.resolve("broken.json"), "{\"ranksPerNode\": ");
    String[] lines = {
      "--model " + unknown,
      "--cluster " + unknown,
      "--cluster " + broken,
      "--cluster " + temp.resolve("absent.json"),
      "--model " + temp
    };
    for (String line : lines) {
      CommandRun run = plan(line);
      assertThat(run.err()).matches("gossamer: .+\\R");
      assertThat(run.exitCode()).as(run.err()).isEqualTo(3);
      assertThat(run.out()).isEmpty();
    }
  }
}
