package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.MadeUpVideo;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** AdaCluster 1.3 in a whole session: one threshold, a count for each layer, hard layers. */
class LayerCountsTest {
  private static final int TOKENS = 1000;
  private static final AdaClusterSettings SETTINGS =
      AdaClusterSettings.PAPER.withMinTokens(0).withFirstKeyClusters(32);

  /** The calls of two steps: the first calibrates, the second is sparse. */
  private static List<AttentionReport.Call> calls(
      AdaClusterSettings settings, int branches, double... noises) {
    MadeUpVideo[] layers =
        Arrays.stream(noises)
            .mapToObj(
                noise ->
                    new MadeUpVideo(
                        TokenGrid.video(1, 1, TOKENS), 2, 64, noises.length, branches, 2, noise))
            .toArray(MadeUpVideo[]::new);
    try (Threads threads = new Threads(1);
        AttentionSession session = new AdaCluster(settings).open(layers[0].plan(), threads)) {
      for (int step = 0; step < 2; step++) {
        for (int layer = 0; layer < layers.length; layer++) {
          for (int branch = 0; branch < branches; branch++) {
            try (Scope scope = Scope.open()) {
              // The layers differ in noise alone.
              session
                  .attention(layer, branch)
                  .attend(
                      layers[layer].queries(DType.FLOAT32, step, 0, branch),
                      layers[layer].keys(DType.FLOAT32, step, 0, branch),
                      layers[layer].values(DType.FLOAT32, step, 0, branch),
                      step);
            }
          }
        }
      }
      return session.report().calls();
    }
  }

  @Test
  void compactLayersGetFewerClustersThanDispersedOnes() {
    List<AttentionReport.Call> calls = calls(SETTINGS, 2, 0.1, 0.4, 0.7, 1);
    List<AttentionReport.Call> sparse = calls.subList(8, 16);
    assertThat(sparse).allMatch(call -> call.dense().isEmpty());
    for (int branch = 0; branch < 2; branch++) {
      int of = branch;
      int[] counts =
          sparse.stream()
              .filter(call -> call.branch() == of)
              .mapToInt(AttentionReport.Call::keyClusters)
              .toArray();
      assertThat(counts).isSorted();
      assertThat(counts[0]).isLessThanOrEqualTo((int) (1.1 * 32));
      assertThat(counts[3]).isGreaterThan(counts[0]);
    }
  }

  @Test
  void theFirstStepIsFullAttention() {
    List<AttentionReport.Call> calls = calls(SETTINGS, 1, 0.3, 0.6);
    assertThat(calls.subList(0, 2)).allMatch(call -> call.dense().equals("first steps"));
  }

  @Test
  void withAnEndlessThresholdEveryLayerStaysWithItsFirstClusters() {
    calls(SETTINGS.withTauFactor(1e9), 1, 0.1, 0.5, 1).stream()
        .filter(call -> call.step() == 1)
        .forEach(call -> assertThat(call.keyClusters()).isBetween(1, 32));
  }

  /** Of seven layers, 15 % is one: the most dispersed. The others are clipped to the cap. */
  @Test
  void onlyTheMostDispersedLayersFallBackWhenHard() {
    AdaClusterSettings strict = SETTINGS.withTauFactor(1e-6).withMaxKeyClusters(90);
    List<AttentionReport.Call> calls =
        calls(strict, 1, 0.3, 0.4, 1, 0.5, 0.6, 0.7, 0.8).subList(7, 14);
    for (AttentionReport.Call call : calls) {
      assertThat(call.dense()).isEqualTo(call.layer() == 2 ? "hard layer" : "");
      assertThat(call.density()).isLessThanOrEqualTo(1);
      assertThat(call.keyClusters()).isLessThanOrEqualTo(90);
    }
  }

  @Test
  void noLayerFallsBackWhereTheShareIsZero() {
    AdaClusterSettings strict = SETTINGS.withTauFactor(1e-6).withMaxDenseLayerShare(0);
    assertThat(calls(strict, 1, 0.3, 0.6, 1).subList(3, 6))
        .allMatch(call -> call.dense().isEmpty());
  }

  @Test
  void everyHardLayerFallsBackWhereTheShareIsOne() {
    AdaClusterSettings strict = SETTINGS.withTauFactor(1e-6).withMaxDenseLayerShare(1);
    assertThat(calls(strict, 2, 0.3, 0.6).subList(4, 8))
        .allMatch(call -> call.dense().equals("hard layer"));
  }

  @Test
  void layersThatAreDenseAnywayAreNotCounted() {
    AdaClusterSettings chosen = SETTINGS.withDenseLayers(List.of(1));
    List<AttentionReport.Call> calls = calls(chosen, 1, 0.3, 1, 0.4);
    assertThat(calls.get(4).dense()).isEqualTo("chosen layer");
    assertThat(calls.get(3).keyClusters()).isPositive();
    assertThat(calls.get(5).keyClusters()).isPositive();
  }

  @Test
  void equalKeysInAllLayersAreNotHard() {
    calls(SETTINGS, 1, 0, 0).subList(2, 4).forEach(call -> assertThat(call.dense()).isEmpty());
  }
}
