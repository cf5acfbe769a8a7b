package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.Optional;

/**
 * CLIP's vision encoder in a file of its own, under transformers' names. Its sizes are those of its
 * tensors.
 *
 * @param config what its {@code config.json} would say
 * @param files its tensors
 */
public record LooseClipVision(ModelConfig config, TensorFiles files) {
  private static final String PATCHES = "embeddings.patch_embedding.weight";

  /** Width and heads of ViT-H/14, the encoder of Wan 2.1; no tensor tells the heads. */
  private static final int WIDTH = 1280;

  private static final int HEADS = 16;

  /**
   * @param stored as the file names its tensors, with any prefix
   * @param beside the {@code config.json} in the same folder, if there is one
   * @return empty if it is no such encoder
   * @throws BadInputException if it is one, but its sizes cannot be told
   */
  public static Optional<LooseClipVision> in(TensorFiles stored, Optional<ModelConfig> beside) {
    return LooseWeights.find(stored, "vision_model." + PATCHES)
        .map(LooseWeights::files)
        .map(
            files ->
                new LooseClipVision(
                    beside
                        .filter(found -> found.className().startsWith("CLIPVision"))
                        .orElseGet(() -> deduced(files)),
                    files));
  }

  private static ModelConfig deduced(TensorFiles files) {
    String prefix = "vision_model.";
    int width = files.size(prefix + PATCHES, 0);
    if (width != WIDTH) {
      throw new BadInputException(
          "Cannot tell the heads of the image encoder in "
              + files.origin()
              + ": it is "
              + width
              + " wide",
          "Put its config.json beside it; without one it must be " + WIDTH + " wide, as ViT-H/14");
    }
    int patch = files.size(prefix + PATCHES, 2);
    int rows = files.size(prefix + "embeddings.position_embedding.weight", 0);
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "CLIPVisionModel")
            .put("model_type", "clip_vision_model")
            .put("hidden_act", "gelu")
            .put("hidden_size", width)
            .put("num_attention_heads", HEADS)
            .put("patch_size", patch)
            .put("image_size", (int) Math.round(Math.sqrt(rows - 1.0)) * patch)
            .put("intermediate_size", files.size(prefix + "encoder.layers.0.mlp.fc1.weight", 0))
            .put(
                "num_hidden_layers",
                files.count(i -> prefix + "encoder.layers." + i + ".layer_norm1.weight"));
    return ModelConfig.of(files.origin(), config);
  }
}
