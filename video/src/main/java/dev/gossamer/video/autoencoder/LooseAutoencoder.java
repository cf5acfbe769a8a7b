package dev.gossamer.video.autoencoder;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;

/**
 * What the {@code config.json} of an autoencoder of causal residual blocks would say, read off its
 * tensors: for files that come without one.
 */
public final class LooseAutoencoder {
  private LooseAutoencoder() {}

  /**
   * @param weights under diffusers' names
   * @param className as in {@code _class_name}
   * @param latentChannels of its latents
   */
  public static ModelConfig config(LooseWeights weights, String className, int latentChannels) {
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", className)
            .put("latent_channels", latentChannels)
            .put("layers_per_block", weights.count(i -> block(0, i)));
    ArrayNode channels = config.putArray("block_out_channels");
    int levels = weights.count(i -> block(i, 0));
    for (int level = 0; level < levels; level++) {
      channels.add(weights.size(block(level, 0), 0));
    }
    return ModelConfig.of(weights.files().origin(), config);
  }

  private static String block(int level, int number) {
    return "encoder.down_blocks." + level + ".resnets." + number + ".conv1.conv.weight";
  }
}
