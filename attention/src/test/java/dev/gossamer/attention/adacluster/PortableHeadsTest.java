package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The execution of all heads at once, here on a processor: operations of libtorch are the same on a
 * card.
 */
class PortableHeadsTest {
  private static final int HEADS = 3;
  private static final int HEAD_DIM = 16;
  private static final TokenGrid WITH_TEXT = new TokenGrid(3, 11, 13, 9, 4);
  private static final TokenGrid VIDEO = TokenGrid.video(3, 11, 13);

  /** Float32 sums in another order. */
  private static final double ROUNDING = 1e-5;

  private static Tensor clustered(Generator generator, int tokens, int centres) {
    Tensor around = generator.normal(1, HEADS, centres, HEAD_DIM).mul(1.5);
    long[] picks = new long[tokens];
    for (int token = 0; token < tokens; token++) {
      picks[token] = token * 7919L % centres;
    }
    return around
        .indexSelect(2, Tensor.of(picks, tokens))
        .add(generator.normal(1, HEADS, tokens, HEAD_DIM).mul(0.5));
  }

  private record Inputs(Tensor query, Tensor key, Tensor value) {
    static Inputs of(TokenGrid grid) {
      try (Generator generator = Generator.seeded(11)) {
        return new Inputs(
            clustered(generator, grid.tokens(), 20),
            clustered(generator, grid.tokens(), 25),
            generator.normal(1, HEADS, grid.tokens(), HEAD_DIM));
      }
    }

    Tensor dense() {
      return DenseAttention.attend(query, key, value);
    }
  }

  private static AdaClusterSettings settings(String preset) {
    return AdaClusterSettings.presets().get(preset).with("products", "float32");
  }

  private static CardHeads heads(AdaClusterSettings settings, TokenGrid grid) {
    return new CardHeads(settings, grid, head -> 31 * head + 5, new PortableHeads());
  }

  private static CardHeads.Attended attend(CardHeads heads, Inputs inputs) {
    return heads.attend(inputs.query(), inputs.key(), inputs.value(), true, 16, false);
  }

  private static AttentionReport.Call call(CardHeads.Attended attended) {
    return attended.facts().call(0, 0, 0, () -> 0).get();
  }

  private static double error(Tensor output, Tensor exact) {
    return Math.sqrt(output.sub(exact).square().sum().item() / exact.square().sum().item());
  }

  @ParameterizedTest
  @CsvSource({"default", "cluster", "paper"})
  void everyClusterSelectedIsDenseAttention(String preset) {
    AdaClusterSettings all =
        settings(preset).withRule(new SelectionRule.Budget(1)).withErrorTarget(0);
    try (Scope scope = Scope.open();
        CardHeads heads = heads(all, WITH_TEXT)) {
      Inputs inputs = Inputs.of(WITH_TEXT);
      CardHeads.Attended attended = attend(heads, inputs);
      assertThat(error(attended.output(), inputs.dense())).isLessThan(ROUNDING);
      assertThat(call(attended).density()).isEqualTo(1);
      assertThat(call(attended).recall()).isCloseTo(1, org.assertj.core.data.Offset.offset(1e-5));
    }
  }

  /** The same algorithm from the same seeds; ties and orders of sums may differ. */
  @ParameterizedTest
  @CsvSource({"default, expectedError(all)", "cluster, queryMass(all)", "paper, tensorQuest"})
  void isAsGoodAsHeadByHead(String preset, String scorer) {
    AdaClusterSettings settings =
        settings(preset)
            .with("scorer", scorer)
            .with("keyCounts", "fixed")
            .with("minTokens", "0")
            .with("denseSteps", "0")
            .with("denseLayers", "[]");
    AttentionPlan plan = new AttentionPlan(1, 1, 10, WITH_TEXT, 5, Set.of(), 16);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AdaClusterSession session = new AdaClusterSession(plan, settings, threads);
        CardHeads heads = heads(settings, WITH_TEXT)) {
      Inputs inputs = Inputs.of(WITH_TEXT);
      Tensor dense = inputs.dense();
      for (int step = 0; step < 3; step++) {
        Tensor plain =
            session.attention(0, 0).attend(inputs.query(), inputs.key(), inputs.value(), step);
        CardHeads.Attended attended = attend(heads, inputs);
        assertThat(error(attended.output(), dense))
            .isBetween(0.8 * error(plain, dense), 1.25 * error(plain, dense));
        AttentionReport.Call theirs = session.report().calls().get(step);
        assertThat(call(attended).density())
            .isBetween(0.8 * theirs.density(), 1.25 * theirs.density());
        assertThat(call(attended).pseudoKeys())
            .isBetween(0.9 * theirs.pseudoKeys(), 1.1 * theirs.pseudoKeys() + 1e-9);
      }
    }
  }

  @Test
  void textAttendsToEverythingAndEverythingToText() {
    try (Scope scope = Scope.open();
        CardHeads heads = heads(settings("default"), WITH_TEXT)) {
      Inputs inputs = Inputs.of(WITH_TEXT);
      Tensor output = attend(heads, inputs).output();
      Tensor dense = inputs.dense();
      int before = WITH_TEXT.textBefore();
      int behind = before + WITH_TEXT.videoTokens();
      assertThat(error(output.narrow(2, 0, before), dense.narrow(2, 0, before)))
          .isLessThan(ROUNDING);
      assertThat(
              error(
                  output.narrow(2, behind, WITH_TEXT.textAfter()),
                  dense.narrow(2, behind, WITH_TEXT.textAfter())))
          .isLessThan(ROUNDING);
      assertThat(error(output, dense)).isGreaterThan(ROUNDING);
    }
  }

  @Test
  void thresholdsFindMoreClustersWhereKeysAreDispersed() {
    AdaClusterSettings settings = settings("paper").with("k0", "8").with("nMax", "200");
    try (Scope scope = Scope.open();
        CardHeads few = heads(settings, VIDEO);
        CardHeads many = heads(settings, VIDEO)) {
      Inputs inputs = Inputs.of(VIDEO);
      double tau = 1.5 * few.dispersion(inputs.key()).distance();
      assertThat(few.countClusters(inputs.key(), tau)).isFalse();
      many.countClusters(inputs.key(), 0.5 * tau);
      int ofFew = call(attend(few, inputs)).keyClusters();
      assertThat(call(attend(many, inputs)).keyClusters()).isGreaterThan(ofFew);
      try (CardHeads hard = heads(settings, VIDEO)) {
        assertThat(hard.countClusters(inputs.key(), 0.01 * tau)).isTrue();
      }
    }
  }

  @Test
  void goesOnFromASavedStateBitForBit() {
    AdaClusterSettings settings = settings("default");
    try (Scope scope = Scope.open();
        CardHeads heads = heads(settings, VIDEO);
        CardHeads restored = heads(settings, VIDEO)) {
      Inputs inputs = Inputs.of(VIDEO);
      attend(heads, inputs);
      Map<String, Tensor> state = new LinkedHashMap<>();
      heads.save("x.", state);
      restored.restore("x.", state, Device.CPU);
      assertThat(attend(restored, inputs).output().toFloats())
          .isEqualTo(attend(heads, inputs).output().toFloats());
    }
  }

  @Test
  void frees() {
    try (Scope scope = Scope.open();
        CardHeads heads = heads(settings("default"), VIDEO)) {
      Inputs inputs = Inputs.of(VIDEO);
      call(attend(heads, inputs));
      long before = Tensor.live();
      for (int i = 0; i < 3; i++) {
        try (Scope call = Scope.open()) {
          call(attend(heads, inputs));
        }
      }
      assertThat(Tensor.live()).isEqualTo(before);
    }
  }

  @Test
  void takesBatchesAndHalfWidthNumbers() {
    try (Scope scope = Scope.open();
        CardHeads one = heads(settings("default").with("products", "input"), VIDEO);
        CardHeads two = heads(settings("default").with("products", "input"), VIDEO)) {
      Inputs inputs = Inputs.of(VIDEO);
      Inputs both =
          new Inputs(
              Tensor.cat(0, inputs.query(), inputs.query()),
              Tensor.cat(0, inputs.key(), inputs.key()),
              Tensor.cat(0, inputs.value(), inputs.value()));
      Tensor output = attend(two, both).output();
      assertThat(output.shape()).containsExactly(2, HEADS, VIDEO.tokens(), HEAD_DIM);
      assertThat(error(output.narrow(0, 0, 1), attend(one, inputs).output())).isLessThan(0.2);
      Inputs half =
          new Inputs(
              inputs.query().to(DType.BFLOAT16),
              inputs.key().to(DType.BFLOAT16),
              inputs.value().to(DType.BFLOAT16));
      try (CardHeads ofHalf = heads(settings("default").with("products", "input"), VIDEO)) {
        assertThat(attend(ofHalf, half).output().dtype()).isEqualTo(DType.BFLOAT16);
      }
    }
  }

  @Test
  void kernelsLeaveToLibtorchWhatTheyDoNotKnow() {
    assertThat(KernelHeads.knows(AdaClusterSettings.DEFAULT, 30_000)).isTrue();
    assertThat(KernelHeads.knows(AdaClusterSettings.CLUSTER, 30_000)).isTrue();
    assertThat(KernelHeads.knows(AdaClusterSettings.PAPER, 30_000)).isTrue();
    assertThat(KernelHeads.knows(AdaClusterSettings.DEFAULT.with("products", "float32"), 30_000))
        .isFalse();
    assertThat(KernelHeads.knows(AdaClusterSettings.DEFAULT.with("scorer", "tensorQuest"), 30_000))
        .isFalse();
    assertThat(KernelHeads.knows(AdaClusterSettings.PAPER.with("nMax", "5000"), 30_000)).isFalse();
  }
}
