package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.AttentionSettings;
import dev.gossamer.lm.DenseSettings;
import dev.gossamer.lm.ExpertLayers;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.NormKind;
import dev.gossamer.lm.Positions;
import dev.gossamer.lm.Rotary;
import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What the configurations of all families have in common, in both of their generations: {@code
 * rope_theta} and {@code rope_scaling}, or {@code rope_parameters}.
 *
 * @param of the family's own
 */
record FamilyConfig(ModelConfig of) {
  /**
   * @throws BadInputException if its weights are quantised
   */
  FamilyConfig {
    of.require(
        !of.has("quantization_config"), "quantization_config", "Use the model in bf16 or fp32");
  }

  /** Width of the stream. */
  int hidden() {
    return of.whole("hidden_size", 4096);
  }

  int heads() {
    return of.whole("num_attention_heads", 32);
  }

  /** SiLU, the only activation of gated experts that is known here. */
  ExpertActivation silu() {
    of.require(of.text("hidden_act", "silu").equals("silu"), "hidden_act", "Only silu is read");
    return ExpertActivation.SILU;
  }

  /** Refuses a flag that is not what it usually is. */
  void requireFlag(String key, boolean usual, String remedy) {
    of.require(of.flag(key, usual) == usual, key, remedy);
  }

  /** Refuses a word that is not what it usually is. */
  void requireText(String key, String usual) {
    of.require(of.text(key, usual).equals(usual), key, "Only " + usual + " is read");
  }

  private String ropeKey() {
    return of.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  }

  /** What is said of rotary positions beside theta; may be empty. */
  ModelConfig rope() {
    return of.section(ropeKey());
  }

  Rotary rotary() {
    ModelConfig rope = rope();
    String kind = rope.text("rope_type", rope.text("type", "default"));
    of.require(
        kind.equals("default") || kind.equals("yarn"),
        ropeKey(),
        "Only default and yarn positions are read");
    double part = rope.real("partial_rotary_factor", of.real("partial_rotary_factor", 1));
    of.require(
        part == 1,
        rope.has("partial_rotary_factor") ? ropeKey() : "partial_rotary_factor",
        "Only heads that turn as a whole are read");
    double theta = rope.real("rope_theta", of.real("rope_theta", 10_000));
    return new Rotary(theta, kind.equals("yarn") ? Optional.of(yarn(rope)) : Optional.empty());
  }

  private Rotary.Yarn yarn(ModelConfig rope) {
    int most = context();
    int trained =
        of.whole(
            "original_max_position_embeddings",
            rope.whole("original_max_position_embeddings", most));
    double factor = rope.real("factor", (double) most / trained);
    double all = rope.real("mscale_all_dim", 0);
    double some = rope.real("mscale", 0);
    double size =
        all != 0 && some != 0 ? growth(factor, some) / growth(factor, all) : growth(factor, 1);
    return new Rotary.Yarn(
        factor,
        trained,
        rope.real("beta_fast", 32),
        rope.real("beta_slow", 1),
        rope.flag("truncate", true),
        rope.real("attention_factor", size));
  }

  /** How much larger scores become with the context (YaRN, 3.4). */
  static double growth(double factor, double scale) {
    return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  }

  AttentionSettings.Grouped attention(Positions positions, boolean bias, boolean headNorm) {
    requireFlag("attention_bias", false, "Models with it are not read");
    return new AttentionSettings.Grouped(
        heads(),
        of.whole("num_key_value_heads", heads()),
        of.whole("head_dim", hidden() / heads()),
        positions,
        positions == Positions.ROPE ? rotary() : Rotary.plain(10_000),
        bias,
        headNorm);
  }

  /** Tokens of the longest text. */
  int context() {
    return of.whole("max_position_embeddings", 4096);
  }

  /** Tokens that every layer sees, where layers may see a window of the context alone. */
  int window(boolean slides) {
    return slides ? Math.min(context(), of.whole("sliding_window", context())) : context();
  }

  /** Where Qwen's models have experts. */
  ExpertLayers everyStep() {
    List<Integer> dense = Arrays.stream(of.wholes("mlp_only_layers")).boxed().toList();
    return new ExpertLayers(0, of.whole("decoder_sparse_step", 1), dense);
  }

  DenseSettings gated(String key, int whenMissing) {
    return new DenseSettings(of.whole(key, whenMissing), ExpertBody.GATED, silu());
  }

  /**
   * Gated experts as wide as the stream.
   *
   * @param count key of how many; transformers 5 writes {@code num_local_experts} for some families
   * @param inner key of their inner width
   */
  MoeSettings experts(String count, String inner, int topK, RouterSettings router) {
    return MoeSettings.of(
            new MoeStructure.FineGrained(
                hidden(),
                of.whole(count, of.whole("num_local_experts", 8)),
                topK,
                of.whole(inner, 1024),
                ExpertBody.GATED))
        .withActivation(silu())
        .withRouter(router);
  }

  /** A router whose losses are none, as nothing is learnt. */
  static RouterSettings router(Scores scores, boolean normalise, double scaling) {
    return RouterSettings.DEFAULT.withBalance(0).withScores(scores, normalise, scaling);
  }

  /**
   * A model of RMS norms.
   *
   * @param eps of the norms
   */
  ModelSettings model(
      AttentionSettings attention,
      int context,
      int layers,
      double eps,
      DenseSettings dense,
      MoeSettings moe,
      ExpertLayers where) {
    return new ModelSettings(
        of.whole("vocab_size", 32_000),
        hidden(),
        layers,
        context,
        attention,
        NormKind.RMS,
        eps,
        of.flag("tie_word_embeddings", false),
        dense,
        Optional.of(moe),
        where);
  }
}
