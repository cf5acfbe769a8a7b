package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Groups;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A sigmoid router with biases and groups rated by their best two experts. */
record DeepseekV3() implements ModelFamily {
  private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d{1,6})\\..*");
  private static final int BEST = 2;

  @Override
  public String type() {
    return "deepseek_v3";
  }

  @Override
  public ModelSettings settings(ModelConfig config) {
    FamilyConfig family = new FamilyConfig(config);
    family.requireText("scoring_func", "sigmoid");
    family.requireText("topk_method", "noaux_tc");
    RouterSettings router =
        FamilyConfig.router(
                Scores.SIGMOID,
                config.flag("norm_topk_prob", true),
                config.real("routed_scaling_factor", 2.5))
            .withGroups(
                new Groups(config.whole("n_group", 8), config.whole("topk_group", 4), BEST));
    return Deepseek.model(config, router, 2048, 1, 3);
  }

  @Override
  public String nameOf(String ours) {
    return Deepseek.NAMES.of(ours);
  }

  @Override
  public Map<String, UnaryOperator<Tensor>> changes(ModelConfig config) {
    return config.flag("rope_interleave", true) ? Deepseek.halves(settings(config)) : Map.of();
  }

  /** Layers behind the last guess tokens further ahead, for those who generate several at once. */
  @Override
  public boolean beside(ModelConfig config, String stored) {
    Matcher layer = LAYER.matcher(stored);
    int layers = config.whole("num_hidden_layers", 32);
    int ahead = config.whole("num_nextn_predict_layers", 0);
    if (!layer.matches()) {
      return false;
    }
    int number = Integer.parseInt(layer.group(1));
    return number >= layers && number < layers + ahead;
  }
}
