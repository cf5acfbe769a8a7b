package dev.gossamer.bench.moe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunComparisonTest {
  private static String report;

  @TempDir Path temp;

  @BeforeAll
  static void measure() {
    MoeBenchSettings settings =
        MoeBenchSettings.DEFAULT
            .withLayer(64, 16, List.of(2, 4), 32, 16)
            .withTokens(32)
            .withWay(ParallelSettings.DEFAULT, 1)
            .withRuns(1);
    String[] reports = new String[2];
    LocalRanks.run(
        2,
        world -> {
          try (Threads threads = new Threads(1)) {
            reports[world.rank()] =
                MoeBench.run(settings, world, Device.CPU, threads, BenchProgress.NONE).json();
          }
        });
    report = reports[0];
  }

  /** Two nodes of a rank each, whose link is so slow that the exchange is all that counts. */
  private ClusterProfile cluster(int perNode, String nodeLink) throws IOException {
    Path file = temp.resolve("cluster.json");
    Files.writeString(
        file,
        "{\"ranksPerNode\": "
            + perNode
            + ", \"peakTflops\": 0.001, \"denseEfficiency\": 1, \"memoryGB\": 1, \"memoryGBps\": 1,"
            + nodeLink
            + " \"localLink\": {\"latencyMicros\": 0, \"GBps\": 1}, \"wire\": \"fp32\"}");
    return ClusterProfile.read(file);
  }

  private static final String SLOW = " \"nodeLink\": {\"latencyMicros\": 0, \"GBps\": 0.000001},";

  private RunComparison compare(String document) throws IOException {
    Path run = Files.writeString(temp.resolve("run.json"), document);
    return RunComparison.of(run, cluster(1, SLOW));
  }

  @Test
  void predictsEveryRowOfTheRun() throws IOException {
    RunComparison comparison = compare(report);
    assertThat(comparison.rows())
        .extracting(RunComparison.Row::structure)
        .containsExactly("fine-grained", "bigmac", "vanilla", "fine-grained", "bigmac", "vanilla");
    RunComparison.Row fine = comparison.rows().get(0);
    // Four all-to-alls of 32 tokens x 2 rows x 64 numbers, of which half leave, at 1 kB/s.
    assertThat(fine.exchange().predicted()).isEqualTo(4 * 32 * 2 * 64 * 4 / 2.0, offset(1e-6));
    assertThat(comparison.rows().get(1).exchange().predicted())
        .isEqualTo(fine.exchange().predicted() / 4, offset(1e-6));
    assertThat(fine.terms().get("experts").predicted())
        .isEqualTo(6.0 * 32 * 2 * 2 * 64 * 32 / 1e9 * 1e3, offset(1e-6));
    assertThat(fine.total().predicted())
        .isEqualTo(fine.compute().predicted() + fine.exchange().predicted(), offset(1e-6));
    assertThat(fine.total().measured()).isPositive();
    assertThat(fine.total().error()).isGreaterThan(1);
    assertThat(comparison.within()).isZero();
    assertThat(comparison.table())
        .contains("top-4", "vanilla", "0 of 6 steps predicted within 20 %");
    assertThat(BenchReport.json(comparison.document())).contains("\"withinTarget\" : 0");
  }

  @Test
  void anotherClusterIsRefused() throws IOException {
    Path run = Files.writeString(temp.resolve("run.json"), report);
    assertThatThrownBy(() -> RunComparison.of(run, cluster(2, SLOW)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("has 1 ranks per node, unnamed 2");
    assertThatThrownBy(() -> RunComparison.of(run, cluster(1, "")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("ran on 2 nodes");
  }

  @Test
  void whatIsNoReportIsRefused() throws IOException {
    for (String broken :
        new String[] {
          "",
          "[]",
          "no JSON",
          "{\"rows\": []}",
          "{\"settings\": {}, \"rows\": 3}",
          "{\"settings\": {}, \"rows\": []}",
          report.replace("\"ranks\" : 2", "\"ranks\" : -2"),
          report.replace("\"hidden\" : 64", "\"hidden\" : \"wide\""),
          report.replace("\"latent\" : 16", "\"latent\" : 1600"),
          report.replace("\"wire\" : \"fp32\"", "\"wire\" : \"int8\""),
          report.replace("\"tokens\" : 32", "\"tokens\" : 99999999999"),
          report.replace("\"subject\" : \"bigmac\"", "\"subject\" : \"bigger\""),
          report.replace("phaseMillis", "phases"),
          report.replace("rankLoadMaxOverMean", "load"),
          report.replace("\"topK\" : [ 2, 4 ]", "\"topK\" : [ 2 ]")
        }) {
      assertThat(broken).isNotEqualTo(report);
      assertThatThrownBy(() -> compare(broken))
          .as(broken.substring(0, Math.min(80, broken.length())))
          .isInstanceOf(BadInputException.class)
          .hasMessageStartingWith("Cannot compare with ");
    }
    assertThatThrownBy(() -> RunComparison.of(temp.resolve("absent"), cluster(1, SLOW)))
        .hasMessageContaining("no such file");
  }
}
