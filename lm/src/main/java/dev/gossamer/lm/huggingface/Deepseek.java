package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.AttentionSettings;
import dev.gossamer.lm.ExpertLayers;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.Rotary;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * What both generations of DeepSeek have: latent attention, a shared expert, dense layers first.
 */
final class Deepseek {
  private static final int QUERY_RANK = 1536; // where the key is missing, and not null

  static final NameTable NAMES =
      new NameTable()
          .with("\\.attention\\.q_down$", ".self_attn.q_a_proj.weight")
          .with("\\.attention\\.q_norm$", ".self_attn.q_a_layernorm.weight")
          .with("\\.attention\\.q_up$", ".self_attn.q_b_proj.weight")
          .with("\\.attention\\.kv_down$", ".self_attn.kv_a_proj_with_mqa.weight")
          .with("\\.attention\\.kv_norm$", ".self_attn.kv_a_layernorm.weight")
          .with("\\.attention\\.kv_up$", ".self_attn.kv_b_proj.weight")
          .with("\\.moe\\.router_bias$", ".mlp.gate.e_score_correction_bias")
          .with("\\.moe\\.shared\\.", ".mlp.shared_experts.")
          .then(LlamaNames.NAMES);

  private Deepseek() {}

  /**
   * @param inner width of experts, where the key is missing
   * @param shared how many of them are shared, where the key is missing
   * @param firstDense layers without experts, where the key is missing
   */
  static ModelSettings model(
      ModelConfig config, RouterSettings router, int inner, int shared, int firstDense) {
    FamilyConfig family = new FamilyConfig(config);
    family.requireFlag("mlp_bias", false, "Models with it are not read");
    config.require(
        config.whole("moe_layer_freq", 1) == 1,
        "moe_layer_freq",
        "Experts in every layer are read");
    int width = config.whole("moe_intermediate_size", inner);
    MoeSettings moe =
        family
            .experts(
                "n_routed_experts",
                "moe_intermediate_size",
                config.whole("num_experts_per_tok", 8),
                router)
            .withShared(width * config.whole("n_shared_experts", shared));
    return family.model(
        attention(family),
        family.context(),
        config.whole("num_hidden_layers", 32),
        config.real("rms_norm_eps", 1e-6),
        family.gated("intermediate_size", 11_008),
        moe,
        ExpertLayers.after(config.whole("first_k_dense_replace", firstDense)));
  }

  private static AttentionSettings.Latent attention(FamilyConfig family) {
    ModelConfig config = family.of();
    family.requireFlag("attention_bias", false, "Models with it are not read");
    int heads = family.heads();
    config.require(
        config.whole("num_key_value_heads", heads) == heads,
        "num_key_value_heads",
        "As many as heads are read");
    boolean named = config.keys().contains("q_lora_rank");
    Rotary rotary = family.rotary();
    double all = family.rope().real("mscale_all_dim", 0);
    double growth = rotary.yarn().map(yarn -> FamilyConfig.growth(yarn.factor(), all)).orElse(1.0);
    return new AttentionSettings.Latent(
        heads,
        named ? config.whole("q_lora_rank", 0) : QUERY_RANK,
        config.whole("kv_lora_rank", 512),
        config.whole("qk_nope_head_dim", 128),
        config.whole("qk_rope_head_dim", 64),
        config.whole("v_head_dim", 128),
        rotary,
        growth * growth);
  }

  /**
   * Of a pair that turns together, these files have both elements side by side, and we have one in
   * either half. As queries and keys are arranged anew alike, their products stay the same.
   */
  static Map<String, UnaryOperator<Tensor>> halves(ModelSettings settings) {
    AttentionSettings.Latent attention = (AttentionSettings.Latent) settings.attention();
    Map<String, UnaryOperator<Tensor>> changes = new TreeMap<>();
    for (int layer = 0; layer < settings.layers(); layer++) {
      String name = "layers." + layer + ".attention.";
      changes.put(
          name + (attention.queryRank() == 0 ? "q" : "q_up"),
          rows -> halves(rows, attention.heads(), attention.plainDim()));
      changes.put(name + "kv_down", rows -> halves(rows, 1, attention.rank()));
    }
    return changes;
  }

  /**
   * @param rows {@code [heads x (plain + rotary), in]}
   */
  private static Tensor halves(Tensor rows, long heads, long plain) {
    long in = rows.size(1);
    Tensor each = rows.reshape(heads, rows.size(0) / heads, in);
    long rotary = each.size(1) - plain;
    Tensor pairs = each.narrow(1, plain, rotary).reshape(heads, rotary / 2, 2, in);
    Tensor halves = pairs.transpose(1, 2).reshape(heads, rotary, in);
    return Tensor.cat(1, each.narrow(1, 0, plain), halves).reshape(rows.shape());
  }
}
