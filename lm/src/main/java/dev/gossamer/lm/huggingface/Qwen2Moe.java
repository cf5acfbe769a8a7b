package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.Positions;
import dev.gossamer.moe.SharedSettings;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;

/** Fine-grained gated experts beside a shared one that every token weighs; biases of q, k, v. */
record Qwen2Moe() implements ModelFamily {
  private static final NameTable NAMES =
      LlamaNames.NAMES
          .with("\\.moe\\.shared\\.", ".mlp.shared_expert.")
          .with("\\.moe\\.shared_gate$", ".mlp.shared_expert_gate.weight");

  @Override
  public String type() {
    return "qwen2_moe";
  }

  @Override
  public ModelSettings settings(ModelConfig config) {
    FamilyConfig family = new FamilyConfig(config);
    return family.model(
        family.attention(Positions.ROPE, config.flag("qkv_bias", true), false),
        family.window(config.flag("use_sliding_window", false)),
        config.whole("num_hidden_layers", 24),
        config.real("rms_norm_eps", 1e-6),
        family.gated("intermediate_size", 5632),
        family
            .experts(
                "num_experts",
                "moe_intermediate_size",
                config.whole("num_experts_per_tok", 4),
                FamilyConfig.router(Scores.SOFTMAX, config.flag("norm_topk_prob", false), 1))
            .withShared(
                new SharedSettings(config.whole("shared_expert_intermediate_size", 5632), true)),
        family.everyStep());
  }

  @Override
  public String nameOf(String ours) {
    return NAMES.of(ours);
  }
}
