package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.AttentionSettings;
import dev.gossamer.lm.DenseSettings;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.NormKind;
import dev.gossamer.lm.Positions;
import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** A kind of model that transformers knows, by its {@code model_type}. */
public enum ModelFamily {
  /** Softmax over the chosen experts, gated SiLU experts as wide as the stream. */
  MIXTRAL(ModelFamily::mixtral, ModelFamily::mixtralName),
  /** Fine-grained gated experts, queries and keys normalised head by head. */
  QWEN3_MOE(ModelFamily::qwen3, ModelFamily::qwenName),
  /**
   * Latent experts, which are BigMac's: attention and experts in turn, no positions, a sigmoid
   * router with biases, a wide shared expert.
   */
  NEMOTRON_H(ModelFamily::nemotron, ModelFamily::nemotronName);

  private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\.(.+)");
  private static final Pattern EXPERT = Pattern.compile("moe\\.experts\\.(\\d+)\\.(.+)");

  private final Function<ModelConfig, ModelSettings> settings;
  private final BiFunction<Integer, String, String> layerName;

  ModelFamily(
      Function<ModelConfig, ModelSettings> settings,
      BiFunction<Integer, String, String> layerName) {
    this.settings = settings;
    this.layerName = layerName;
  }

  /** The {@code model_type} in its {@code config.json}. */
  public String type() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * @throws BadInputException if no family has this type
   */
  public static ModelFamily of(ModelConfig config) {
    String type = config.text("model_type", "");
    return Arrays.stream(values())
        .filter(family -> family.type().equals(type))
        .findFirst()
        .orElseThrow(
            () ->
                new BadInputException(
                    "Cannot use " + config.path() + ": model_type '" + type + "' is not known",
                    "Known are gossamer, "
                        + Arrays.stream(values())
                            .map(ModelFamily::type)
                            .collect(Collectors.joining(", "))));
  }

  /**
   * What the configuration describes.
   *
   * @throws BadInputException if it has something that is not known here, naming it
   */
  public ModelSettings settings(ModelConfig config) {
    return settings.apply(config);
  }

  /** The name on disk of one of our tensors; experts are named one by one. */
  public String nameOf(String ours) {
    Matcher layer = LAYER.matcher(ours);
    if (layer.matches()) {
      return layerName.apply(Integer.parseInt(layer.group(1)), layer.group(2));
    }
    boolean nemotron = this == NEMOTRON_H;
    return switch (ours) {
      case "embedding" -> nemotron ? "backbone.embeddings.weight" : "model.embed_tokens.weight";
      case "final_norm" -> nemotron ? "backbone.norm_f.weight" : "model.norm.weight";
      case "head" -> "lm_head.weight";
      default -> throw unnamed(ours);
    };
  }

  private static IllegalArgumentException unnamed(String ours) {
    return new IllegalArgumentException("No family has a tensor '" + ours + "'");
  }

  private static MoeSettings moe(
      MoeStructure shape,
      ExpertActivation activation,
      Scores scores,
      boolean normalise,
      double by) {
    return MoeSettings.of(shape)
        .withActivation(activation)
        .withRouter(RouterSettings.DEFAULT.withBalance(0).withScores(scores, normalise, by));
  }

  private static void refuse(ModelConfig config, String... keys) {
    for (String key : keys) {
      config.require(!config.has(key), key, "Models with it are not read");
    }
  }

  private static double theta(ModelConfig config) {
    ModelConfig rope = config.section("rope_parameters");
    rope.require(
        rope.text("rope_type", "default").equals("default"), "rope_type", "Only default is read");
    return rope.real("rope_theta", config.real("rope_theta", 10_000));
  }

  private static AttentionSettings attention(
      ModelConfig config, Positions positions, double theta, boolean headNorm) {
    int heads = config.whole("num_attention_heads", 32);
    config.require(
        !config.flag("attention_bias", false), "attention_bias", "Models with biases are not read");
    return new AttentionSettings(
        heads,
        config.whole("num_key_value_heads", heads),
        config.whole("head_dim", config.whole("hidden_size", 4096) / heads),
        positions,
        theta,
        false,
        headNorm);
  }

  private static int context(ModelConfig config) {
    int most = config.whole("max_position_embeddings", 4096);
    boolean slides =
        config.flag("use_sliding_window", config.text("model_type", "").equals("mixtral"));
    return slides ? Math.min(most, config.whole("sliding_window", most)) : most;
  }

  private static ExpertActivation silu(ModelConfig config) {
    config.require(
        config.text("hidden_act", "silu").equals("silu"), "hidden_act", "Only silu is read");
    return ExpertActivation.SILU;
  }

  private static ModelSettings mixtral(ModelConfig config) {
    refuse(config, "rope_scaling");
    int hidden = config.whole("hidden_size", 4096);
    int inner = config.whole("intermediate_size", 14_336);
    ExpertActivation act = silu(config);
    MoeStructure shape =
        new MoeStructure.FineGrained(
            hidden,
            config.whole("num_local_experts", 8),
            config.whole("num_experts_per_tok", 2),
            inner,
            ExpertBody.GATED);
    return model(
        config,
        attention(config, Positions.ROPE, theta(config), false),
        config.real("rms_norm_eps", 1e-5),
        new DenseSettings(inner, ExpertBody.GATED, act),
        moe(shape, act, Scores.SOFTMAX, true, 1),
        config.whole("num_hidden_layers", 32),
        0,
        1);
  }

  private static ModelSettings qwen3(ModelConfig config) {
    refuse(config, "rope_scaling");
    int hidden = config.whole("hidden_size", 2048);
    ExpertActivation act = silu(config);
    MoeStructure shape =
        new MoeStructure.FineGrained(
            hidden,
            config.whole("num_experts", 128),
            config.whole("num_experts_per_tok", 8),
            config.whole("moe_intermediate_size", 768),
            ExpertBody.GATED);
    int[] dense = config.wholes("mlp_only_layers");
    int every = config.whole("decoder_sparse_step", 1);
    boolean first = dense.length == 0 || every == 1;
    for (int i = 0; i < dense.length; i++) {
      first &= dense[i] == i;
    }
    config.require(first, "mlp_only_layers", "Only the first layers may be dense");
    return model(
        config,
        attention(config, Positions.ROPE, theta(config), true),
        config.real("rms_norm_eps", 1e-6),
        new DenseSettings(config.whole("intermediate_size", 6144), ExpertBody.GATED, act),
        moe(shape, act, Scores.SOFTMAX, config.flag("norm_topk_prob", false), 1),
        config.whole("num_hidden_layers", 24),
        dense.length,
        every);
  }

  private static ModelSettings nemotron(ModelConfig config) {
    int blocks = blocks(config);
    int hidden = config.whole("hidden_size", 4096);
    for (String bias : new String[] {"mlp_bias", "use_bias"}) {
      config.require(!config.flag(bias, false), bias, "Models with biases are not read");
    }
    config.require(
        config.whole("n_shared_experts", 1) == 1, "n_shared_experts", "One is read, not more");
    config.require(config.whole("n_group", 1) == 1, "n_group", "Only one group is read");
    ExpertActivation act = activation(config);
    MoeStructure shape =
        new MoeStructure.BigMac(
            hidden,
            config.whole("moe_latent_size", hidden),
            config.whole("n_routed_experts", 8),
            config.whole("num_experts_per_tok", 2),
            config.whole("moe_intermediate_size", hidden),
            ExpertBody.PLAIN);
    config.require(
        config.has("moe_latent_size"),
        "moe_latent_size",
        "Only models with latent experts are read");
    MoeSettings moe =
        moe(
                shape,
                act,
                Scores.SIGMOID,
                config.flag("norm_topk_prob", true),
                config.real("routed_scaling_factor", 1))
            .withShared(config.whole("moe_shared_expert_intermediate_size", hidden));
    return model(
        config,
        attention(config, Positions.NONE, 10_000, false),
        config.real("layer_norm_epsilon", 1e-5),
        new DenseSettings(4 * hidden, ExpertBody.PLAIN, act),
        moe,
        blocks / 2,
        0,
        1);
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

  private static ModelSettings model(
      ModelConfig config,
      AttentionSettings attention,
      double eps,
      DenseSettings dense,
      MoeSettings moe,
      int layers,
      int firstDense,
      int every) {
    return new ModelSettings(
        config.whole("vocab_size", 32_000),
        config.whole("hidden_size", 4096),
        layers,
        context(config),
        attention,
        NormKind.RMS,
        eps,
        config.flag("tie_word_embeddings", false),
        dense,
        Optional.of(moe),
        firstDense,
        every);
  }

  private static String mixtralName(int layer, String ours) {
    String prefix = "model.layers." + layer + ".";
    Matcher expert = EXPERT.matcher(ours);
    if (expert.matches()) {
      return prefix
          + "block_sparse_moe.experts."
          + expert.group(1)
          + "."
          + expert.group(2)
          + ".weight";
    }
    return ours.equals("moe.gate")
        ? prefix + "block_sparse_moe.gate.weight"
        : prefix + llamaName(ours);
  }

  private static String qwenName(int layer, String ours) {
    String prefix = "model.layers." + layer + ".";
    Matcher expert = EXPERT.matcher(ours);
    if (expert.matches()) {
      return prefix + "mlp.experts." + expert.group(1) + "." + gated(expert.group(2));
    }
    return ours.equals("moe.gate") ? prefix + "mlp.gate.weight" : prefix + llamaName(ours);
  }

  private static String gated(String ours) {
    return switch (ours) {
      case "w1" -> "gate_proj.weight";
      case "w3" -> "up_proj.weight";
      case "w2" -> "down_proj.weight";
      default -> throw unnamed(ours);
    };
  }

  private static String llamaName(String ours) {
    if (ours.startsWith("attention.")) {
      String part = ours.substring("attention.".length());
      return "self_attn." + part + (part.endsWith("_norm") ? ".weight" : "_proj.weight");
    }
    if (ours.startsWith("dense.")) {
      return "mlp." + gated(ours.substring("dense.".length()));
    }
    return switch (ours) {
      case "attention_norm" -> "input_layernorm.weight";
      case "feed_forward_norm" -> "post_attention_layernorm.weight";
      default -> throw unnamed(ours);
    };
  }

  private static String nemotronName(int layer, String ours) {
    String attention = "backbone.layers." + 2 * layer + ".";
    String experts = "backbone.layers." + (2 * layer + 1) + ".";
    if (ours.startsWith("attention.")) {
      return attention + "mixer." + ours.substring("attention.".length()) + "_proj.weight";
    }
    Matcher expert = EXPERT.matcher(ours);
    if (expert.matches()) {
      String part = expert.group(2).equals("w1") ? "up_proj" : "down_proj";
      return experts + "mixer.experts." + expert.group(1) + "." + part + ".weight";
    }
    return switch (ours) {
      case "attention_norm" -> attention + "norm.weight";
      case "feed_forward_norm" -> experts + "norm.weight";
      case "moe.gate" -> experts + "mixer.gate.weight";
      case "moe.router_bias" -> experts + "mixer.gate.e_score_correction_bias";
      case "moe.descend" -> experts + "mixer.fc1_latent_proj.weight";
      case "moe.ascend" -> experts + "mixer.fc2_latent_proj.weight";
      case "moe.shared.w1" -> experts + "mixer.shared_experts.up_proj.weight";
      case "moe.shared.w2" -> experts + "mixer.shared_experts.down_proj.weight";
      default -> throw unnamed(ours);
    };
  }
}
