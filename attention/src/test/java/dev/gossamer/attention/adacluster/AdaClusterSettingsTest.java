package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Execution;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Grouping;
import dev.gossamer.attention.adacluster.AdaClusterSettings.KeyCounts;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Partition;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Products;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Tail;
import dev.gossamer.attention.adacluster.AdaClusterSettings.Text;
import dev.gossamer.attention.rivals.Rivals;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class AdaClusterSettingsTest {
  /** Every named set of settings, the rivals' included. */
  private static Map<String, AdaClusterSettings> named() {
    Map<String, AdaClusterSettings> named = new TreeMap<>(AdaClusterSettings.presets());
    named.put("rival sparge", Rivals.SPARGE);
    named.put("rival svg2", Rivals.SVG2);
    return named;
  }

  /** No value as any preset has it, where a choice is left. */
  private static AdaClusterSettings unusual() {
    return new AdaClusterSettings(
        Partition.EUCLIDEAN,
        17,
        Partition.ANGLE,
        33,
        KeyCounts.FIXED,
        21,
        2.25,
        3,
        99,
        0.5,
        7,
        4,
        3,
        new PseudoQuest(),
        new SelectionRule.Mass(0.875, 0.0625),
        0.3,
        Grouping.TILE,
        24,
        Tail.CENTROID,
        0.375,
        List.of(0, 3, 11),
        Text.CLUSTERED,
        5,
        Products.BFLOAT16,
        Execution.LIBTORCH);
  }

  static Stream<Arguments> pairs() {
    Map<String, AdaClusterSettings> all = new TreeMap<>(named());
    all.put("unusual", unusual());
    return all.entrySet().stream()
        .flatMap(
            from ->
                all.entrySet().stream()
                    .map(
                        to ->
                            Arguments.of(
                                from.getKey(), from.getValue(), to.getKey(), to.getValue())));
  }

  /**
   * Whatever a report shows can be typed in again, on top of any preset, in any order of options.
   */
  @ParameterizedTest(name = "{0} to {2}")
  @MethodSource("pairs")
  void everySettingAsPrintedCanBeReadBack(
      String from, AdaClusterSettings start, String to, AdaClusterSettings goal) {
    AttentionOptions options = AttentionOptions.defaults();
    for (Map.Entry<String, Object> entry : goal.asMap().entrySet()) {
      options = options.withSetting(entry.getKey(), entry.getValue().toString());
    }
    assertThat(AdaClusterProvider.apply(options, start, "adacluster")).isEqualTo(goal);
  }

  @ParameterizedTest
  @ValueSource(strings = {"paper", "cluster", "default"})
  void settingWhatIsSetChangesNothing(String preset) {
    AdaClusterSettings settings = AdaClusterSettings.presets().get(preset);
    for (Map.Entry<String, Object> entry : settings.asMap().entrySet()) {
      assertThat(settings.with(entry.getKey(), entry.getValue().toString())).isEqualTo(settings);
    }
  }

  @Test
  void printsEverySettingThatItReads() {
    assertThat(unusual().asMap().keySet()).containsExactlyElementsOf(AdaClusterSettings.names());
    assertThat(AdaClusterSettings.names())
        .hasSize(AdaClusterSettings.class.getRecordComponents().length);
  }

  /**
   * A change of a preset changes everybody's videos: it must be meant, and then the golden changes
   * with it. The file is what this test would print.
   */
  @Test
  void presetsAreThoseOfTheGoldenFile() throws IOException {
    StringBuilder text = new StringBuilder();
    named()
        .forEach(
            (name, settings) -> {
              text.append('[').append(name).append("]\n");
              settings.asMap().forEach((k, v) -> text.append(k).append('=').append(v).append('\n'));
            });
    assertThat(text.toString())
        .isEqualTo(Files.readString(Golden.path("/goldens/presets/presets.txt")));
  }

  @Test
  void knowsThreePresets() {
    assertThat(AdaClusterSettings.presets())
        .containsOnly(
            Map.entry("paper", AdaClusterSettings.PAPER),
            Map.entry("cluster", AdaClusterSettings.CLUSTER),
            Map.entry("default", AdaClusterSettings.DEFAULT));
  }

  @Test
  void thePaperPresetIsThePaper() {
    AdaClusterSettings paper = AdaClusterSettings.PAPER;
    assertThat(paper.queryPartition()).isEqualTo(Partition.ANGLE);
    assertThat(paper.queryClusters()).isEqualTo(65);
    assertThat(paper.keyPartition()).isEqualTo(Partition.EUCLIDEAN);
    assertThat(paper.keyCounts()).isEqualTo(KeyCounts.ADAPTIVE);
    assertThat(paper.tauFactor()).isEqualTo(1.5);
    assertThat(paper.maxDenseLayerShare()).isEqualTo(0.15);
    assertThat(paper.scorer()).isEqualTo(new TensorQuest());
    assertThat(paper.tail()).isEqualTo(Tail.OFF);
  }

  @Test
  void refusesAnUnknownSettingAndListsTheKnownOnes() {
    assertThatThrownBy(() -> AdaClusterSettings.DEFAULT.with("topk", "5"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("'topk'")
        .hasMessageContaining("minTokens")
        .hasMessageNotContaining("\n");
    assertThatThrownBy(
            () ->
                new AdaClusterProvider()
                    .create(AttentionOptions.defaults().withSetting("topk", "5")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("'topk'");
  }

  @ParameterizedTest
  @CsvSource({
    "kq, -1",
    "kq, many",
    "kq, 1.5",
    "kk, -2",
    "maxStages, 0",
    "itersFirst, 0",
    "itersFirst, auto",
    "reclusterEvery, 0",
    "tauFactor, 0",
    "tauFactor, NaN",
    "denseSteps, 1.1",
    "denseSteps, NaN",
    "errorTarget, -0.1",
    "errorTarget, NaN",
    "maxDenseLayerShare, -0.1",
    "denseLayers, first",
    "scorer, best",
    "rule, topP(.9)",
    "queryMetric, cosine",
    "tail, maybe",
    "products, fp8",
    "minTokens, -1",
    "keyMetric, blocks"
  })
  void refusesAValueThatDoesNotFitInOneLine(String name, String value) {
    assertThatThrownBy(() -> AdaClusterSettings.PAPER.with(name, value))
        .isInstanceOf(UsageException.class)
        .hasMessageNotContaining("\n");
  }

  @Test
  void readsChoicesInAnyCaseAndCountsAsAuto() {
    AdaClusterSettings settings =
        AdaClusterSettings.DEFAULT
            .with("queryMetric", "Euclidean")
            .with("tail", "OFF")
            .with("kq", "auto")
            .with("denseLayers", "[0, 5]");
    assertThat(settings.queryPartition()).isEqualTo(Partition.EUCLIDEAN);
    assertThat(settings.tail()).isEqualTo(Tail.OFF);
    assertThat(settings.queryClusters()).isZero();
    assertThat(settings.denseLayers()).containsExactly(0, 5);
    assertThat(settings.with("denseLayers", "[]").denseLayers()).isEmpty();
  }

  @Test
  void aDensityBecomesABudgetAndASingleSettingWinsOverIt() {
    AttentionOptions options =
        AttentionOptions.defaults().withPreset("paper").withDensity(0.3).withSetting("kq", "12");
    AdaClusterSettings expected =
        AdaClusterSettings.PAPER.withRule(new SelectionRule.Budget(0.3)).withQueryClusters(12);
    assertThat(new AdaClusterProvider().create(options).settings()).isEqualTo(expected.asMap());
    assertThat(new AdaClusterProvider().create(options.withSetting("rule", "topK(4)")).settings())
        .containsEntry("rule", "topK(4)");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 64, 1000, 2305, 17_776, 75_600, 200_000})
  void countsFitEveryLengthOfSequence(int tokens) {
    for (AdaClusterSettings settings : named().values()) {
      assertThat(settings.queryClustersFor(tokens)).isBetween(1, Math.max(1, tokens));
      assertThat(settings.keyClustersFor(tokens)).isBetween(1, Math.max(1, tokens));
      assertThat(settings.firstKeyClustersFor(tokens)).isBetween(1, Math.max(1, tokens));
      assertThat(settings.maxKeyClustersFor(tokens)).isBetween(1, Math.min(4096, tokens));
    }
  }

  @Test
  void countsAreThoseOfTheSpecification() {
    assertThat(AdaClusterSettings.PAPER.queryClustersFor(75_600)).isEqualTo(65);
    assertThat(AdaClusterSettings.PAPER.firstKeyClustersFor(32_760)).isEqualTo(200);
    assertThat(AdaClusterSettings.PAPER.firstKeyClustersFor(75_600)).isEqualTo(256);
    assertThat(AdaClusterSettings.PAPER.maxKeyClustersFor(4096)).isEqualTo(512);
    assertThat(AdaClusterSettings.PAPER.maxKeyClustersFor(75_600)).isEqualTo(1575);
    assertThat(AdaClusterSettings.PAPER.maxKeyClustersFor(400_000)).isEqualTo(4096);
    assertThat(AdaClusterSettings.DEFAULT.keyClustersFor(4096)).isEqualTo(256);
    assertThat(AdaClusterSettings.DEFAULT.keyClustersFor(16_384)).isEqualTo(512);
    assertThat(AdaClusterSettings.DEFAULT.keyClustersFor(75_600)).isEqualTo(1024);
  }

  @Test
  void adaptiveCountsNeedOneFullStepToCalibrate() {
    assertThat(AdaClusterSettings.PAPER.firstSparseStep(20, 4096)).isEqualTo(1);
    assertThat(AdaClusterSettings.PAPER.withKeyCounts(KeyCounts.FIXED).firstSparseStep(20, 4096))
        .isZero();
    assertThat(AdaClusterSettings.DEFAULT.withDenseSteps(0.2).firstSparseStep(20, 4096))
        .isEqualTo(4);
    assertThat(AdaClusterSettings.DEFAULT.withDenseSteps(0.21).firstSparseStep(20, 4096))
        .isEqualTo(5);
    assertThat(AdaClusterSettings.DEFAULT.withDenseSteps(1).firstSparseStep(20, 4096))
        .isEqualTo(20);
    assertThat(AdaClusterSettings.DEFAULT.firstSparseStep(50, 49_999)).isEqualTo(10);
    assertThat(AdaClusterSettings.DEFAULT.firstSparseStep(50, 50_000)).isEqualTo(5);
    assertThat(AdaClusterSettings.DEFAULT.asMap()).containsEntry("denseSteps", "auto");
    assertThat(AdaClusterSettings.PAPER.with("denseSteps", "auto").firstSparseStep(10, 3000))
        .isEqualTo(2);
  }
}
