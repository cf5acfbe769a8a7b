package dev.gossamer.lm;

import static dev.gossamer.moe.ExpertActivation.GELU;
import static dev.gossamer.moe.ExpertActivation.RELU2;
import static dev.gossamer.moe.ExpertActivation.SILU;
import static dev.gossamer.moe.ExpertBody.GATED;
import static dev.gossamer.moe.ExpertBody.PLAIN;

import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.router.RouterSettings;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** Models small enough for loops in double precision, which together use every choice. */
public final class TinyModels {
  public static final int VOCABULARY = 11;
  public static final int HIDDEN = 12;

  private TinyModels() {}

  private static final DenseSettings DENSE = new DenseSettings(20, PLAIN, GELU);
  private static final RouterSettings ROUTER =
      RouterSettings.DEFAULT.withBalance(0.02).withScope(RouterSettings.Scope.SEQUENCE);

  private static ModelSettings model(
      AttentionSettings attention,
      NormKind norm,
      boolean tied,
      DenseSettings dense,
      MoeSettings experts,
      int firstDense) {
    return new ModelSettings(
        VOCABULARY,
        HIDDEN,
        2,
        24,
        attention,
        norm,
        1e-5,
        tied,
        dense,
        Optional.ofNullable(experts),
        firstDense,
        1);
  }

  /** By name. */
  public static Map<String, ModelSettings> all() {
    AttentionSettings rope = AttentionSettings.of(3, 4);
    Map<String, ModelSettings> all = new LinkedHashMap<>();
    all.put("dense", model(rope, NormKind.RMS, true, DENSE, null, 0));
    all.put(
        "dense, gated, learned places, layer norm, untied, biases",
        model(
            rope.withPositions(Positions.LEARNED).withExtras(true, false),
            NormKind.LAYER,
            false,
            new DenseSettings(18, GATED, SILU),
            null,
            0));
    all.put(
        "vanilla",
        model(
            rope,
            NormKind.RMS,
            true,
            DENSE,
            MoeSettings.of(new MoeStructure.Vanilla(HIDDEN, 3, 2, 16, PLAIN)).withRouter(ROUTER),
            0));
    all.put(
        "fine-grained, gated, shared heads, head norms",
        model(
            AttentionSettings.of(4, 6).withKvHeads(2).withExtras(true, true),
            NormKind.RMS,
            false,
            DENSE,
            MoeSettings.of(new MoeStructure.FineGrained(HIDDEN, 6, 3, 5, GATED))
                .withRouter(ROUTER.withZLoss(0.01))
                .withActivation(SILU),
            0));
    all.put("BigMac", bigMac());
    all.put(
        "BigMac, sigmoid, shared expert, no places, first layer dense",
        model(
            rope.withPositions(Positions.NONE),
            NormKind.RMS,
            true,
            DENSE,
            MoeSettings.of(new MoeStructure.BigMac(HIDDEN, 4, 6, 3, 10, PLAIN))
                .withRouter(ROUTER.withScores(RouterSettings.Scores.SIGMOID, true, 2.5))
                .withActivation(RELU2)
                .withShared(7),
            1));
    return all;
  }

  /** BigMac with the usual everything. */
  public static ModelSettings bigMac() {
    return model(
        AttentionSettings.of(3, 4),
        NormKind.RMS,
        true,
        DENSE,
        MoeSettings.of(new MoeStructure.BigMac(HIDDEN, 4, 6, 3, 10, PLAIN)).withRouter(ROUTER),
        0);
  }
}
