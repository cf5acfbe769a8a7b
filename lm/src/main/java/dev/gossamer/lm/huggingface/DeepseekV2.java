package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Groups;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Map;
import java.util.function.UnaryOperator;

/** A softmax router whose weights are not normalised, with groups rated by their best expert. */
record DeepseekV2() implements ModelFamily {
  @Override
  public String type() {
    return "deepseek_v2";
  }

  @Override
  public ModelSettings settings(ModelConfig config) {
    FamilyConfig family = new FamilyConfig(config);
    family.requireText("scoring_func", "softmax");
    family.requireFlag("norm_topk_prob", false, "Only weights as they are are read");
    String method = config.text("topk_method", "greedy");
    boolean grouped = method.equals("group_limited_greedy");
    config.require(
        grouped || method.equals("greedy"),
        "topk_method",
        "Only greedy and group_limited_greedy are read");
    RouterSettings router =
        FamilyConfig.router(Scores.SOFTMAX, false, config.real("routed_scaling_factor", 1))
            .withGroups(
                grouped
                    ? new Groups(config.whole("n_group", 1), config.whole("topk_group", 1), 1)
                    : Groups.NONE);
    return Deepseek.model(config, router, 1407, 2, 0);
  }

  @Override
  public String nameOf(String ours) {
    return Deepseek.NAMES.of(ours);
  }

  @Override
  public Map<String, UnaryOperator<Tensor>> changes(ModelConfig config) {
    return Deepseek.halves(settings(config));
  }
}
