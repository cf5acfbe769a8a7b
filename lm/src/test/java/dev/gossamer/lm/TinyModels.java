package dev.gossamer.lm;

import static dev.gossamer.moe.ExpertActivation.GELU;
import static dev.gossamer.moe.ExpertActivation.RELU2;
import static dev.gossamer.moe.ExpertActivation.SILU;
import static dev.gossamer.moe.ExpertBody.GATED;
import static dev.gossamer.moe.ExpertBody.PLAIN;

import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.SharedSettings;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Groups;
import java.util.LinkedHashMap;
import java.util.List;
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
      ExpertLayers where) {
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
        where);
  }

  /** Of four pairs one is fast, one slow, two are between. */
  private static Rotary longer(boolean whole) {
    return new Rotary(10, Optional.of(new Rotary.Yarn(4, 16, 2, 0.5, whole, 1.2)));
  }

  /** By name. */
  public static Map<String, ModelSettings> all() {
    AttentionSettings.Grouped rope = AttentionSettings.of(3, 4);
    Map<String, ModelSettings> all = new LinkedHashMap<>();
    all.put("dense", model(rope, NormKind.RMS, true, DENSE, null, ExpertLayers.ALL));
    all.put(
        "dense, gated, learned places, layer norm, untied, biases",
        model(
            rope.withPositions(Positions.LEARNED).withExtras(true, false),
            NormKind.LAYER,
            false,
            new DenseSettings(18, GATED, SILU),
            null,
            ExpertLayers.ALL));
    all.put(
        "vanilla",
        model(
            rope,
            NormKind.RMS,
            true,
            DENSE,
            MoeSettings.of(new MoeStructure.Vanilla(HIDDEN, 3, 2, 16, PLAIN)).withRouter(ROUTER),
            ExpertLayers.ALL));
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
            ExpertLayers.ALL));
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
            ExpertLayers.after(1)));
    all.put(
        "latent attention, weighed shared expert, last layer dense",
        model(
            new AttentionSettings.Latent(3, 0, 5, 4, 2, 3, Rotary.plain(100), 1),
            NormKind.RMS,
            false,
            DENSE,
            MoeSettings.of(new MoeStructure.FineGrained(HIDDEN, 6, 3, 5, GATED))
                .withRouter(ROUTER.withGroups(new Groups(3, 2, 1)))
                .withActivation(SILU)
                .withShared(new SharedSettings(6, true)),
            new ExpertLayers(0, 1, List.of(1))));
    all.put(
        "latent attention, narrowed queries, longer context",
        model(
            new AttentionSettings.Latent(2, 6, 5, 4, 8, 3, longer(true), 1.3),
            NormKind.RMS,
            true,
            DENSE,
            null,
            ExpertLayers.ALL));
    all.put(
        "longer context",
        model(
            new AttentionSettings.Grouped(2, 2, 8, Positions.ROPE, longer(false), false, false),
            NormKind.RMS,
            true,
            DENSE,
            null,
            ExpertLayers.ALL));
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
        ExpertLayers.ALL);
  }
}
