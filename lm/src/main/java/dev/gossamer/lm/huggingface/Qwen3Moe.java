package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.Positions;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.weights.ModelConfig;

/** Fine-grained gated experts, queries and keys normalised head by head. */
record Qwen3Moe() implements ModelFamily {
  @Override
  public String type() {
    return "qwen3_moe";
  }

  @Override
  public ModelSettings settings(ModelConfig config) {
    FamilyConfig family = new FamilyConfig(config);
    return family.model(
        family.attention(Positions.ROPE, false, true),
        family.window(config.flag("use_sliding_window", false)),
        config.whole("num_hidden_layers", 24),
        config.real("rms_norm_eps", 1e-6),
        family.gated("intermediate_size", 6144),
        family.experts(
            "num_experts",
            "moe_intermediate_size",
            config.whole("num_experts_per_tok", 8),
            FamilyConfig.router(Scores.SOFTMAX, config.flag("norm_topk_prob", false), 1)),
        family.everyStep());
  }

  @Override
  public String nameOf(String ours) {
    return LlamaNames.NAMES.of(ours);
  }
}
