package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ExpertLayers;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.Positions;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;

/** Softmax over the chosen experts, gated SiLU experts. */
record Mixtral() implements ModelFamily {
  private static final NameTable NAMES =
      new NameTable()
          .with("\\.moe\\.gate$", ".block_sparse_moe.gate.weight")
          .with("\\.moe\\.experts\\.(.+)$", ".block_sparse_moe.experts.$1.weight")
          .then(LlamaNames.NAMES);

  @Override
  public String type() {
    return "mixtral";
  }

  @Override
  public ModelSettings settings(ModelConfig config) {
    FamilyConfig family = new FamilyConfig(config);
    return family.model(
        family.attention(Positions.ROPE, false, false),
        family.window(true),
        config.whole("num_hidden_layers", 32),
        config.real("rms_norm_eps", 1e-5),
        family.gated("intermediate_size", 14_336),
        family.experts(
            "num_local_experts",
            "intermediate_size",
            config.whole("num_experts_per_tok", 2),
            FamilyConfig.router(Scores.SOFTMAX, true, 1)),
        ExpertLayers.ALL);
  }

  @Override
  public String nameOf(String ours) {
    return NAMES.of(ours);
  }

  @Override
  public String released(String stored) {
    return stored.replace(".mlp.", ".block_sparse_moe.");
  }
}
