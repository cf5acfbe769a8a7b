package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.Optional;

/**
 * CLIP's text encoder in a file of its own, under transformers' names with any prefix. Without a
 * configuration beside it it has to be that of ViT-L/14: no tensor tells the heads.
 *
 * @param config what its {@code config.json} would say
 * @param files its tensors
 */
public record LooseClipText(ModelConfig config, TensorFiles files) {
  private static final int WIDTH = 768;
  private static final int HEADS = 12;

  /**
   * @param stored as the file names its tensors, with any prefix
   * @param beside the {@code config.json} in the same folder, if there is one
   * @return empty if it is no such encoder
   */
  public static Optional<LooseClipText> in(TensorFiles stored, Optional<ModelConfig> beside) {
    return LooseWeights.find(stored, "embeddings.token_embedding.weight")
        .filter(weights -> weights.has("encoder.layers.0.mlp.fc1.weight"))
        .flatMap(
            weights ->
                beside
                    .filter(found -> found.className().startsWith("CLIPText"))
                    .map(found -> found.completedBy(named()))
                    .or(() -> deduced(weights))
                    .map(config -> new LooseClipText(config, weights.files())));
  }

  private static ObjectNode named() {
    return new ObjectMapper().createObjectNode().put("_class_name", "CLIPTextModel");
  }

  private static Optional<ModelConfig> deduced(LooseWeights weights) {
    int width = weights.size("embeddings.token_embedding.weight", 1);
    if (width != WIDTH) {
      return Optional.empty();
    }
    return Optional.of(
        ModelConfig.of(
            weights.files().origin(),
            named()
                .put("model_type", "clip_text_model")
                .put("vocab_size", weights.size("embeddings.token_embedding.weight", 0))
                .put("hidden_size", width)
                .put("num_attention_heads", HEADS)
                .put("intermediate_size", weights.size("encoder.layers.0.mlp.fc1.weight", 0))
                .put(
                    "num_hidden_layers",
                    weights.count(i -> "encoder.layers." + i + ".mlp.fc1.weight"))
                .put(
                    "max_position_embeddings",
                    weights.size("embeddings.position_embedding.weight", 0))
                .put("eos_token_id", ClipTextConfig.LARGEST_ID)));
  }
}
