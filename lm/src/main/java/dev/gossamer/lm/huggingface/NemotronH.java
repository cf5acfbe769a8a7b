package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.DenseSettings;
import dev.gossamer.lm.ExpertLayers;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.Positions;
import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Latent experts, which are BigMac's: attention and experts in turn, no positions, a sigmoid router
 * with biases, a wide shared expert.
 */
record NemotronH() implements ModelFamily {
  private static final NameTable NAMES =
      new NameTable()
          .with("^embedding$", "backbone.embeddings.weight")
          .with("^final_norm$", "backbone.norm_f.weight")
          .with("^head$", "lm_head.weight")
          .with("^layers\\.", "backbone.layers.")
          .with("\\.(attention|feed_forward)_norm$", ".norm.weight")
          .with("\\.attention\\.([qkvo])$", ".mixer.$1_proj.weight")
          .with("\\.moe\\.router_bias$", ".mixer.gate.e_score_correction_bias")
          .with("\\.moe\\.descend$", ".mixer.fc1_latent_proj.weight")
          .with("\\.moe\\.ascend$", ".mixer.fc2_latent_proj.weight")
          .with("\\.moe\\.gate$", ".mixer.gate.weight")
          .with("\\.w1$", ".up_proj.weight")
          .with("\\.w2$", ".down_proj.weight")
          .with("\\.moe\\.experts\\.", ".mixer.experts.")
          .with("\\.moe\\.shared\\.", ".mixer.shared_experts.");

  private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\.(.+)");

  @Override
  public String type() {
    return "nemotron_h";
  }

  @Override
  public ModelSettings settings(ModelConfig config) {
    FamilyConfig family = new FamilyConfig(config);
    int blocks = blocks(config);
    int hidden = family.hidden();
    family.requireFlag("mlp_bias", false, "Models with biases are not read");
    family.requireFlag("use_bias", false, "Models with biases are not read");
    config.require(
        config.whole("n_shared_experts", 1) == 1, "n_shared_experts", "One is read, not more");
    config.require(config.whole("n_group", 1) == 1, "n_group", "Only one group is read");
    config.require(
        config.has("moe_latent_size"),
        "moe_latent_size",
        "Only models with latent experts are read");
    ExpertActivation act = activation(config);
    MoeStructure shape =
        new MoeStructure.BigMac(
            hidden,
            config.whole("moe_latent_size", hidden),
            config.whole("n_routed_experts", 8),
            config.whole("num_experts_per_tok", 2),
            config.whole("moe_intermediate_size", hidden),
            ExpertBody.PLAIN);
    MoeSettings moe =
        MoeSettings.of(shape)
            .withActivation(act)
            .withRouter(
                FamilyConfig.router(
                    Scores.SIGMOID,
                    config.flag("norm_topk_prob", true),
                    config.real("routed_scaling_factor", 1)))
            .withShared(config.whole("moe_shared_expert_intermediate_size", hidden));
    return family.model(
        family.attention(Positions.NONE, false, false),
        family.context(),
        blocks / 2,
        config.real("layer_norm_epsilon", 1e-5),
        new DenseSettings(4 * hidden, ExpertBody.PLAIN, act),
        moe,
        ExpertLayers.ALL);
  }

  /** Blocks of attention and of experts in turn, as both generations of the configuration say. */
  private static int blocks(ModelConfig config) {
    String pattern =
        config.has("layers_block_type")
            ? config.texts("layers_block_type").stream()
                .map(
                    kind ->
                        switch (kind) {
                          case "attention", "full_attention" -> "*";
                          case "moe" -> "E";
                          default -> "?";
                        })
                .collect(Collectors.joining())
            : config.text("hybrid_override_pattern", "");
    String key = config.has("layers_block_type") ? "layers_block_type" : "hybrid_override_pattern";
    config.require(pattern.matches("(\\*E)+"), key, "Only attention and experts in turn are read");
    return pattern.length();
  }

  private static ExpertActivation activation(ModelConfig config) {
    String name = config.text("mlp_hidden_act", "relu2");
    Optional<ExpertActivation> known =
        Arrays.stream(ExpertActivation.values())
            .filter(act -> act.name().toLowerCase(Locale.ROOT).equals(name))
            .findFirst();
    config.require(known.isPresent(), "mlp_hidden_act", "Use relu2, gelu, silu or relu");
    return known.orElseThrow();
  }

  /** One of our layers is a block of attention there and one of experts. */
  @Override
  public String nameOf(String ours) {
    Matcher layer = LAYER.matcher(ours);
    if (!layer.matches()) {
      return NAMES.of(ours);
    }
    String part = layer.group(2);
    int block = 2 * Integer.parseInt(layer.group(1)) + (part.startsWith("attention") ? 0 : 1);
    return NAMES.of("layers." + block + "." + part);
  }

  @Override
  public String released(String stored) {
    return stored.startsWith("model.") ? "backbone." + stored.substring("model.".length()) : stored;
  }
}
