package dev.gossamer.moe.plan;

import static dev.gossamer.moe.plan.StructureKind.BIGMAC;
import static dev.gossamer.moe.plan.StructureKind.FINE_GRAINED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.plan.PlanSettings.Activations;
import dev.gossamer.moe.plan.PlanSettings.Optimizer;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CostModelTest {
  private static final PlannedModel MEDIUM = PlannedModel.preset("gpt3-medium");
  private static final ClusterProfile PAPER = ClusterProfile.preset("paper-cluster");

  private static PlanRow row(
      StructureKind kind, PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    return new CostModel(model, cluster, settings).row(kind, model.structure(kind).orElseThrow());
  }

  private static PlanSettings settings(Dispatch dispatch, int chunks, DType wire, double lambda) {
    return new PlanSettings(
        Phase.TRAIN,
        32,
        32,
        4096,
        1,
        dispatch,
        chunks,
        wire,
        lambda,
        Activations.RECOMPUTED,
        Optimizer.REPLICATED);
  }

  private static PlanSettings settings(Dispatch dispatch) {
    return settings(dispatch, 1, DType.BFLOAT16, 1);
  }

  /** The line of moe.md 3.2, which the profile stands for. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 6, 8})
  void thePapersClusterIsTheFittedLine(int topK) {
    PlannedModel model = MEDIUM.withTopK(topK);
    Polynomial line = Calibration.ofThePaper().trainingLine();
    double fine = row(FINE_GRAINED, model, PAPER, settings(Dispatch.FLAT)).time().exposed();
    double narrow = row(BIGMAC, model, PAPER, settings(Dispatch.FLAT)).time().exposed();
    assertThat(1e3 * fine).isCloseTo(line.at(topK), within(0.1));
    assertThat(1e3 * narrow).isCloseTo(line.at(topK / 4.0), within(0.1));
  }

  @ParameterizedTest
  @EnumSource(Dispatch.class)
  void isMonotoneInTopK(Dispatch dispatch) {
    for (String cluster : ClusterProfile.PRESETS.subList(0, 3)) {
      for (StructureKind kind : new StructureKind[] {FINE_GRAINED, BIGMAC}) {
        double before = 0;
        for (int topK = 1; topK <= 64; topK++) {
          ClusterProfile profile = ClusterProfile.preset(cluster);
          StepTime time = row(kind, MEDIUM.withTopK(topK), profile, settings(dispatch)).time();
          assertThat(time.total()).as("%s %s top-%s", cluster, kind, topK).isGreaterThan(before);
          before = time.total();
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Dispatch.class)
  void isMonotoneInTheRatio(Dispatch dispatch) {
    double before = 0;
    for (int width = 1; width <= 15; width++) {
      PlannedModel model = MEDIUM.withRatio(width / 32.0);
      StepTime time = row(BIGMAC, model, PAPER, settings(dispatch)).time();
      assertThat(time.total()).isGreaterThan(before);
      before = time.total();
    }
  }

  @ParameterizedTest
  @EnumSource(Dispatch.class)
  void isMonotoneInBandwidth(Dispatch dispatch) {
    for (int chunks : new int[] {1, 2, 4}) {
      PlanSettings settings = settings(dispatch, chunks, DType.BFLOAT16, 1);
      double before = Double.POSITIVE_INFINITY;
      for (double factor = 0.01; factor < 3; factor *= 1.3) {
        ClusterProfile faster = PAPER.withFasterLink(new Placement(32, 8), factor);
        double total = row(FINE_GRAINED, MEDIUM, faster, settings).time().total();
        assertThat(total).isLessThan(before);
        before = total;
      }
    }
  }

  @Test
  void bytesFollowWidthWireTypeAndImbalance() {
    double wide = row(FINE_GRAINED, MEDIUM, PAPER, settings(Dispatch.FLAT)).interBytes();
    double narrow = row(BIGMAC, MEDIUM, PAPER, settings(Dispatch.FLAT)).interBytes();
    assertThat(wide).isEqualTo(24 * 4 * 4096.0 * 8 * 1024 * 2 * 24 / 32);
    assertThat(narrow).isEqualTo(wide / 4);
    PlanSettings fp32 = settings(Dispatch.FLAT, 1, DType.FLOAT32, 1.5);
    assertThat(row(BIGMAC, MEDIUM, PAPER, fp32).interBytes()).isEqualTo(3 * narrow);
    PlanRow twoLevel = row(FINE_GRAINED, MEDIUM, PAPER, settings(Dispatch.TWO_LEVEL));
    assertThat(twoLevel.interBytes()).isEqualTo(wide);
    assertThat(row(FINE_GRAINED, MEDIUM, PAPER, settings(Dispatch.DEDUPLICATED)).interBytes())
        .isLessThan(wide / 2);
  }

  @Test
  void overlapHidesTheShorterOfTwoButForOneChunk() {
    ClusterProfile cluster = ClusterProfile.preset("h100-infiniband");
    PlannedModel large = PlannedModel.preset("gpt3-6.7b");
    StepTime whole = row(FINE_GRAINED, large, cluster, settings(Dispatch.FLAT)).time();
    StepTime chunked =
        row(FINE_GRAINED, large, cluster, settings(Dispatch.FLAT, 4, DType.BFLOAT16, 1)).time();
    assertThat(whole.hidden()).isZero();
    assertThat(chunked.hidden()).isGreaterThan(0);
    assertThat(chunked.exposed()).isLessThan(whole.exposed());
    assertThat(chunked.exposed()).isGreaterThanOrEqualTo(whole.exposed() / 4);
  }

  @Test
  void imbalanceSlowsExpertsAndWireOnly() {
    StepTime even = row(FINE_GRAINED, MEDIUM, PAPER, settings(Dispatch.FLAT)).time();
    StepTime uneven =
        row(FINE_GRAINED, MEDIUM, PAPER, settings(Dispatch.FLAT, 1, DType.BFLOAT16, 2)).time();
    assertThat(uneven.experts()).isCloseTo(2 * even.experts(), within(1e-12));
    assertThat(uneven.exposed()).isGreaterThan(1.9 * even.exposed());
    assertThat(uneven.dense()).isEqualTo(even.dense());
  }

  @Test
  void thePartsAreTheWhole() {
    ClusterProfile cluster = ClusterProfile.preset("a100-infiniband");
    PlanSettings settings = PlanSettings.of(MEDIUM, cluster).withRanks(1024, MEDIUM, cluster);
    StepTime time = row(BIGMAC, MEDIUM, cluster, settings).time();
    double sum =
        DoubleStream.of(
                time.dense(),
                time.experts(),
                time.projections(),
                time.exposed(),
                time.allReduce(),
                time.optimizer(),
                time.overhead())
            .sum();
    assertThat(time.total()).isCloseTo(sum, within(1e-12));
    assertThat(time.allReduce()).isPositive();
    assertThat(time.optimizer()).isPositive();
  }

  @Test
  void operationsTakeTheirTimeAtTheClustersRate() {
    StepTime time = row(BIGMAC, MEDIUM, PAPER, settings(Dispatch.FLAT)).time();
    double flops = 0.501 * 149.7e12;
    assertThat(time.experts())
        .isCloseTo(3 * 24 * 4096.0 * 2 * 8 * 2 * 256 * 1024 / flops, within(1e-9));
    assertThat(time.projections())
        .isCloseTo(3 * 24 * 4096.0 * 4 * 256 * 1024 / flops + 24 * 0.83e-3, within(1e-9));
  }

  @Test
  void decodingReadsWeights() {
    PlanSettings one =
        new PlanSettings(
            Phase.FORWARD,
            32,
            32,
            1,
            1,
            Dispatch.FLAT,
            1,
            DType.BFLOAT16,
            1,
            Activations.KEPT,
            Optimizer.REPLICATED);
    StepTime time = row(FINE_GRAINED, MEDIUM, PAPER, one).time();
    double touched = 2 * (1 - Math.pow(1 - 8 / 64.0, 32)); // two experts per rank, 32 tokens
    double bytes = 24 * touched * 2 * 256 * 1024 * 2;
    assertThat(time.experts()).isCloseTo(bytes / 696e9, within(1e-9));
    assertThat(time.allReduce()).isZero();
  }

  @Test
  void matchedOperationsTakeEqualTime() {
    PlannedModel matched = MEDIUM.withMatch(Match.FLOPS);
    TransformerCount narrow = row(BIGMAC, matched, PAPER, settings(Dispatch.FLAT)).count();
    TransformerCount fine = row(FINE_GRAINED, matched, PAPER, settings(Dispatch.FLAT)).count();
    assertThat(narrow.flops()).isEqualTo(fine.flops());
  }

  @Test
  void refusesRanksThatDoNotFit() {
    ClusterProfile host = ClusterProfile.preset("pcie-host");
    assertThatThrownBy(() -> PlanSettings.of(MEDIUM, host).withRanks(16, MEDIUM, host))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("one node of 8");
    assertThatThrownBy(() -> PlanSettings.of(MEDIUM, PAPER).withRanks(12, MEDIUM, PAPER))
        .hasMessageContaining("12 ranks, with 8 per node");
    assertThatThrownBy(() -> PlanSettings.of(MEDIUM, PAPER).withRanks(0, MEDIUM, PAPER))
        .hasMessageContaining("0 ranks");
    assertThatThrownBy(() -> PlanSettings.of(MEDIUM, PAPER).withExpertParallel(5))
        .hasMessageContaining("divisor of 32");
    assertThatThrownBy(() -> settings(Dispatch.FLAT, 0, DType.BFLOAT16, 1))
        .hasMessageContaining("0 chunks");
    assertThatThrownBy(() -> settings(Dispatch.FLAT, 1, DType.INT8, 1))
        .hasMessageContaining("wire type");
    assertThatThrownBy(() -> settings(Dispatch.FLAT, 1, DType.BFLOAT16, 0.5))
        .hasMessageContaining("imbalance of 0.5");
  }

  @Test
  void fewerExpertsThanRanksMeanReplicas() {
    PlanRow vanilla = row(StructureKind.VANILLA, MEDIUM, PAPER, settings(Dispatch.FLAT));
    assertThat(vanilla.group()).isEqualTo(new Placement(4, 4));
    assertThat(vanilla.interBytes()).isZero();
    assertThat(vanilla.time().allReduce()).isPositive();
  }
}
