package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.Optional;

/**
 * A Llama language model in a file of its own, under transformers' names with any prefix. What else
 * the file holds, a head or an encoder of pictures, is left out. Without a configuration beside it
 * it has to be a Llama 3: no tensor tells the width of a head and how positions turn.
 *
 * @param config what its {@code config.json} would say
 * @param files its tensors
 */
public record LooseLlama(ModelConfig config, TensorFiles files) {
  /** Other language models have smaller tables of tokens, biases or other norms. */
  private static final int TOKENS = 128_000;

  private static final int HEAD = 128;
  private static final double THETA = 500_000;
  private static final double EPSILON = 1e-5;

  /**
   * @param stored as the file names its tensors, with any prefix
   * @param beside the {@code config.json} in the same folder, if there is one
   * @return empty if it is no such model
   */
  public static Optional<LooseLlama> in(TensorFiles stored, Optional<ModelConfig> beside) {
    return LooseWeights.find(stored, "layers.0.mlp.gate_proj.weight")
        .filter(weights -> weights.has("embed_tokens.weight"))
        .flatMap(
            weights ->
                beside
                    .filter(found -> found.className().startsWith("Llama"))
                    .map(found -> found.completedBy(named()))
                    .or(() -> deduced(weights))
                    .map(config -> new LooseLlama(config, weights.files())));
  }

  private static ObjectNode named() {
    return new ObjectMapper().createObjectNode().put("_class_name", "LlamaModel");
  }

  private static Optional<ModelConfig> deduced(LooseWeights weights) {
    String attention = "layers.0.self_attn.";
    int rows =
        weights.has(attention + "q_proj.weight") ? weights.size(attention + "q_proj.weight", 0) : 0;
    boolean other =
        weights.has(attention + "q_proj.bias") || weights.has(attention + "q_norm.weight");
    if (other || rows % HEAD != 0 || rows == 0 || weights.size("embed_tokens.weight", 0) < TOKENS) {
      return Optional.empty();
    }
    return Optional.of(
        ModelConfig.of(
            weights.files().origin(),
            named()
                .put("model_type", "llama")
                .put("vocab_size", weights.size("embed_tokens.weight", 0))
                .put("hidden_size", weights.size("embed_tokens.weight", 1))
                .put("head_dim", HEAD)
                .put("num_attention_heads", rows / HEAD)
                .put("num_key_value_heads", weights.size(attention + "k_proj.weight", 0) / HEAD)
                .put("intermediate_size", weights.size("layers.0.mlp.gate_proj.weight", 0))
                .put(
                    "num_hidden_layers",
                    weights.count(i -> "layers." + i + ".mlp.gate_proj.weight"))
                .put("rope_theta", THETA)
                .put("rms_norm_eps", EPSILON)));
  }
}
