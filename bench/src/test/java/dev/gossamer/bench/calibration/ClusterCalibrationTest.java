package dev.gossamer.bench.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.Ranks;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.Link;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClusterCalibrationTest {
  private static final Effort LITTLE = new Effort(List.of(2, 4), 8, 1 << 12);

  private static ClusterCalibration run(int ranks, int perNode) {
    ClusterCalibration[] all = new ClusterCalibration[ranks];
    LocalRanks.run(
        ranks,
        world -> {
          try (Threads threads = new Threads(1)) {
            all[world.rank()] =
                ClusterCalibration.run(world, perNode, threads, LITTLE, BenchProgress.NONE);
          }
        });
    for (ClusterCalibration other : all) {
      assertThat(other.profile()).isEqualTo(all[0].profile());
    }
    return all[0];
  }

  @ParameterizedTest
  @CsvSource({"1,1,0,0", "2,2,2,0", "2,1,0,2", "4,2,2,2"})
  void everyLevelThatIsThereIsMeasured(
      int ranks, int perNode, int local, int node, @TempDir Path temp) throws IOException {
    long before = Tensor.live();
    ClusterCalibration calibration = run(ranks, perNode);
    assertThat(calibration.layers()).hasSize(8);
    assertThat(calibration.local()).hasSize(local);
    assertThat(calibration.node()).hasSize(node);
    Path file = temp.resolve("cluster.json");
    Files.writeString(file, BenchReport.json(calibration.profile().document()));
    ClusterProfile read = ClusterProfile.read(file);
    assertThat(read.ranks()).isEqualTo(ranks);
    assertThat(read.ranksPerNode()).isEqualTo(perNode);
    assertThat(read.nodeLink().isPresent()).isEqualTo(node > 0);
    if (local > 0 && node > 0) {
      assertThat(calibration.local().get(1).linkBytes()).isEqualTo(4096);
      assertThat(calibration.node().get(1).messages()).isEqualTo(2);
      assertThat(calibration.node().get(1).linkBytes()).isEqualTo(2 * 4096);
    }
    assertThat(calibration.table()).contains("Plain product", "rows per expert");
    assertThat(calibration.document()).containsKeys("machine", "profile", "layers");
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void ranksThatDoNotFillNodesAreRefused() {
    assertThatThrownBy(() -> run(3, 2)).hasMessageContaining("3 ranks do not fill nodes of 2");
  }

  private static Link fitted(Link link) {
    List<LinkSample> samples =
        List.of(1_000L, 4_000L, 30_000L, 1_000_000L, 5_000_000L).stream()
            .map(bytes -> new LinkSample(3, bytes, 2 * bytes, 0))
            .map(
                one ->
                    new LinkSample(
                        one.messages(), one.bytes(), one.linkBytes(), one.predicted(link)))
            .toList();
    return LinkFit.of(samples, List.of(), new Ranks(LocalRanks.alone(), 1), 0).link();
  }

  @Test
  void aLinkComesOutOfWhatItDoes() {
    Link fitted = fitted(new Link(2e-3, 5e6));
    assertThat(fitted.latencySeconds()).isEqualTo(2e-3, offset(1e-9));
    assertThat(fitted.bytesPerSecond()).isEqualTo(5e6, offset(1.0));
  }

  @Test
  void aBurstComesOutWithIt() {
    Link fitted = fitted(new Link(2e-3, 5e6, 60_000));
    assertThat(fitted.burstBytes()).isEqualTo(60_000);
    assertThat(fitted.bytesPerSecond()).isEqualTo(5e6, offset(1.0));
  }
}
