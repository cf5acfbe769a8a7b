package dev.gossamer.bench.moe;

import static dev.gossamer.moe.parallel.ParallelSettings.DEFAULT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.Timing;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.router.RoutingFile;
import dev.gossamer.moe.router.RoutingSource;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MoeBenchTest {
  private static final MoeBenchSettings SMALL =
      MoeBenchSettings.DEFAULT.withLayer(64, 16, List.of(2, 4), 32, 16).withTokens(32).withRuns(2);

  private static BenchReport run(MoeBenchSettings settings, int ranks) {
    BenchReport[] reports = new BenchReport[ranks];
    LocalRanks.run(
        ranks,
        world -> {
          try (Threads threads = new Threads(1)) {
            reports[world.rank()] =
                MoeBench.run(settings, world, Device.CPU, threads, BenchProgress.NONE);
          }
        });
    return reports[0];
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void structuresTakeTurnsAndSendWhatTheFormulaSays(int ranks) {
    long before = Tensor.live();
    BenchReport report = run(SMALL.withWay(DEFAULT.withChunks(2), 2), ranks);
    assertThat(report.rows()).hasSize(6);
    assertThat(report.rows())
        .extracting(BenchRow::subject)
        .startsWith("fine-grained", "bigmac", "vanilla");
    for (BenchRow row : report.rows()) {
      assertThat(row.more().get("wireBytes")).isEqualTo(row.more().get("wireBytesPredicted"));
      assertThat((double) row.more().get("loadMaxOverMean")).isEqualTo(1);
      assertThat((double) row.more().get("expertGflops")).isPositive();
      assertThat((double) row.more().get("exchangeShare")).isBetween(0.0, 1.0);
    }
    long fine = (long) report.rows().get(0).more().get("wireBytes");
    long narrow = (long) report.rows().get(1).more().get("wireBytes");
    assertThat(narrow).isEqualTo(fine / 4);
    assertThat((long) report.rows().get(0).more().get("betweenNodesBytes"))
        .isEqualTo(ranks < 4 ? 0 : fine * 2 / 3);
    assertThat(MoeBenchTable.of(report)).contains(ranks + " rank", "top-2: BigMac", "bigmac");
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void aLayerThatIsNotFasterSaysSo() {
    BenchReport report = run(SMALL.withRuns(1), 1);
    BenchRow narrow = report.rows().get(1);
    assertThat(MoeBenchTable.of(with(report, narrow, 20, 10)))
        .endsWith(
            "top-2: BigMac does not pay here, a step takes 2.00 times as long as fine-grained");
    assertThat(MoeBenchTable.of(with(report, narrow, 10, 25)))
        .endsWith("top-2: BigMac is 2.50 times as fast as fine-grained");
  }

  private static BenchReport with(BenchReport report, BenchRow row, double own, double rival) {
    BenchRow timed =
        new BenchRow(
            row.benchCase(),
            row.subject(),
            row.rival(),
            new Timing(List.of(own)),
            new Timing(List.of(rival)),
            row.relativeError(),
            row.more());
    return new BenchReport(report.machine(), report.settings(), List.of(timed));
  }

  @Test
  void halfOfTheWidthOnTheWireIsHalfOfTheBytes() {
    BenchReport half = run(SMALL.withWay(DEFAULT.withWire(DType.BFLOAT16), 1), 2);
    BenchReport full = run(SMALL, 2);
    assertThat(2 * (long) half.rows().get(0).more().get("wireBytes"))
        .isEqualTo(full.rows().get(0).more().get("wireBytes"));
    assertThat(half.rows())
        .allSatisfy(row -> assertThat(row.relativeError()).isBetween(1e-5, 1e-2));
    assertThat(full.rows()).allSatisfy(row -> assertThat(row.relativeError()).isZero());
  }

  @Test
  void twoStepsSendTheSameBetweenNodesAndOncePerNodeSendsLess() {
    MoeBenchSettings wide = SMALL.withLayer(64, 16, List.of(4), 32, 16).withTokens(16);
    long[] between = new long[Dispatch.values().length];
    for (Dispatch dispatch : Dispatch.values()) {
      BenchReport report = run(wide.withWay(DEFAULT.withDispatch(dispatch), 2), 4);
      between[dispatch.ordinal()] = (long) report.rows().get(0).more().get("betweenNodesBytes");
    }
    assertThat(between[Dispatch.TWO_LEVEL.ordinal()]).isEqualTo(between[Dispatch.FLAT.ordinal()]);
    assertThat(between[Dispatch.DEDUPLICATED.ordinal()])
        .isLessThan(between[Dispatch.FLAT.ordinal()]);
  }

  @Test
  void anUntrainedGateLoadsUnevenly() {
    BenchReport report =
        run(
            SMALL
                .withLayer(64, 16, List.of(2), 32, 16)
                .withTokens(64)
                .withRouting(new RoutingSource.Gate(), Optional.empty()),
            2);
    assertThat((double) report.rows().get(0).more().get("loadMaxOverMean")).isGreaterThan(1);
  }

  @Test
  void aReplayRoutesAsTheRecordedRunDid(@TempDir Path temp) {
    Path file = temp.resolve("routing.safetensors");
    BenchReport first = run(SMALL.withRouting(new RoutingSource.Gate(), Optional.of(file)), 2);
    RoutingSource replay = new RoutingSource.Replay(RoutingFile.open(file));
    BenchReport second = run(SMALL.withRouting(replay, Optional.empty()), 2);
    for (int i = 0; i < first.rows().size(); i++) {
      for (String figure : List.of("wireBytes", "loadMaxOverMean")) {
        assertThat(second.rows().get(i).more().get(figure))
            .isEqualTo(first.rows().get(i).more().get(figure));
      }
    }
    assertThat((double) second.rows().get(0).more().get("loadMaxOverMean")).isGreaterThan(1);
    assertThatThrownBy(
            () ->
                run(
                    SMALL
                        .withLayer(64, 16, List.of(2), 32, 16)
                        .withTokens(16)
                        .withRouting(replay, Optional.empty()),
                    2))
        .hasMessageContaining("32 tokens, not 16");
  }

  @Test
  void drawsPhasesAndSpeedUps(@TempDir Path temp) throws IOException {
    Path file = temp.resolve("moe.png");
    MoeBenchChart.write(run(SMALL, 2), file);
    BufferedImage image = ImageIO.read(file.toFile());
    assertThat(image.getWidth()).isGreaterThan(image.getHeight());
  }

  @Test
  void nothingToMeasureIsRefused() {
    assertThatThrownBy(() -> SMALL.withRuns(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withLayer(64, 16, List.of(), 32, 16))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withLayer(64, 16, List.of(99), 32, 16))
        .isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withTokens(Integer.MAX_VALUE))
        .isInstanceOf(UsageException.class);
  }
}
