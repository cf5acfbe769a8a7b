package dev.gossamer.video.wan;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.text.LooseClipVision;
import dev.gossamer.video.text.LooseT5;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Wan 2.1 in single files: the transformer, the UMT5 encoder and the autoencoder, under the names
 * of Wan's own repository or diffusers', with or without a prefix such as {@code
 * model.diffusion_model.}
 */
final class WanLooseFiles implements LooseFiles {
  /** Width of a head in all released sizes; no tensor tells it. */
  private static final int HEAD = 128;

  private static final double FLOW_SHIFT = 3;

  @Override
  public List<Part> recognise(TensorFiles stored, Optional<ModelConfig> beside) {
    List<Part> parts = new ArrayList<>();
    transformer(stored, beside).ifPresent(parts::add);
    LooseT5.in(stored, beside)
        .filter(text -> text.config().className().equals("UMT5EncoderModel"))
        .map(text -> new Part(WanFamily.TEXT_ENCODER, text.config(), text.files()))
        .ifPresent(parts::add);
    autoencoder(stored, beside).ifPresent(parts::add);
    LooseClipVision.in(stored, beside)
        .map(image -> new Part(WanFamily.IMAGE_ENCODER, image.config(), image.files()))
        .ifPresent(parts::add);
    return parts;
  }

  @Override
  public Map<String, StoredAs> originalNames(TensorFiles transformer) {
    return WanNames.TRANSFORMER.places(transformer.entries().keySet());
  }

  @Override
  public List<String> needed(String pipeline) {
    List<String> needed =
        new ArrayList<>(
            List.of(
                WanFamily.TEXT_ENCODER, WanFamily.TRANSFORMER, WanFamily.VAE, WanFamily.TOKENIZER));
    if (pipeline.equals(WanFamily.IMAGE_TO_VIDEO)) {
      needed.add(WanFamily.IMAGE_ENCODER);
    }
    return needed;
  }

  @Override
  public Map<String, ObjectNode> settings(Part transformer) {
    ObjectNode scheduler =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "UniPCMultistepScheduler")
            .put("prediction_type", "flow_prediction")
            .put("use_flow_sigmas", true)
            .put("flow_shift", FLOW_SHIFT);
    return Map.of("scheduler", scheduler);
  }

  private static Optional<Part> transformer(TensorFiles stored, Optional<ModelConfig> beside) {
    return LooseWeights.find(stored, "blocks.0.attn2.norm_q.weight", WanNames.TRANSFORMER)
        .map(weights -> transformer(weights, beside));
  }

  private static Part transformer(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().equals("WanTransformer3DModel"))
            .orElseGet(() -> transformerConfig(weights, beside));
    WanTransformerConfig shape = WanTransformerConfig.of(config);
    return new Part(
        WanFamily.TRANSFORMER,
        config,
        weights.renamed(
            WanNames.TRANSFORMER, parameters -> WanTransformer.of(shape, parameters).close()),
        Optional.of(shape.seesImage() ? WanFamily.IMAGE_TO_VIDEO : WanFamily.TEXT_TO_VIDEO));
  }

  private static ModelConfig transformerConfig(LooseWeights weights, Optional<ModelConfig> beside) {
    String patches = "patch_embedding.weight";
    int width = weights.size(patches, 0);
    ObjectNode config =
        new ObjectMapper().createObjectNode().put("_class_name", "WanTransformer3DModel");
    ArrayNode patch = config.putArray("patch_size");
    int pixels = 1;
    for (int axis = 2; axis < 5; axis++) {
      int size = Math.max(1, weights.size(patches, axis));
      patch.add(size);
      pixels *= size;
    }
    int heads = heads(weights, width, beside);
    String embedder = "condition_embedder.";
    config
        .put("num_attention_heads", heads)
        .put("attention_head_dim", width / heads)
        .put("in_channels", weights.size(patches, 1))
        .put("out_channels", weights.size("proj_out.weight", 0) / pixels)
        .put("text_dim", weights.size(embedder + "text_embedder.linear_1.weight", 1))
        .put("freq_dim", weights.size(embedder + "time_embedder.linear_1.weight", 1))
        .put("ffn_dim", weights.size("blocks.0.ffn.net.0.proj.weight", 0))
        .put("num_layers", weights.count(i -> "blocks." + i + ".attn2.norm_q.weight"));
    String image = embedder + "image_embedder.norm1.weight";
    if (weights.has(image)) {
      config
          .put("image_dim", weights.size(image, 0))
          .put("added_kv_proj_dim", weights.size("blocks.0.attn2.add_k_proj.weight", 1));
    }
    String positions = embedder + "image_embedder.pos_embed";
    if (weights.has(positions)) {
      config.put("pos_embed_seq_len", weights.size(positions, 1));
    }
    return ModelConfig.of(weights.files().origin(), config);
  }

  /** From the configuration of Wan's own repository, else from the released width of a head. */
  private static int heads(LooseWeights weights, int width, Optional<ModelConfig> beside) {
    int released = width % HEAD == 0 ? width / HEAD : 0;
    int heads =
        beside
            .filter(found -> found.className().equals("WanModel"))
            .map(found -> found.whole("num_heads", released))
            .orElse(released);
    if (heads < 1 || width % heads != 0) {
      throw new BadInputException(
          "Cannot tell the heads of the transformer in "
              + weights.files().origin()
              + ": it is "
              + width
              + " wide",
          "Put its config.json, with num_heads, beside it");
    }
    return heads;
  }

  private static Optional<Part> autoencoder(TensorFiles stored, Optional<ModelConfig> beside) {
    // names of the first level, which are the same for any number of levels
    return LooseWeights.find(
            stored, "decoder.up_blocks.0.resnets.0.norm1.gamma", WanNames.autoencoder(1, 0))
        .map(weights -> autoencoder(weights, beside));
  }

  private static Part autoencoder(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().equals("AutoencoderKLWan"))
            .orElseGet(() -> autoencoderConfig(weights));
    WanAutoencoderConfig shape = WanAutoencoderConfig.of(config);
    return new Part(
        WanFamily.VAE,
        config,
        weights.renamed(
            WanNames.autoencoder(shape.levels(), shape.blocks()),
            parameters -> WanAutoencoder.inspect(shape, parameters)));
  }

  /** Read off the encoder, whose blocks stand in one row: the blocks of a level, then a step. */
  private static ModelConfig autoencoderConfig(LooseWeights weights) {
    String name = "encoder.down_blocks.";
    int width = weights.size("encoder.conv_in.weight", 0);
    int blocks = weights.count(i -> name + i + ".conv1.weight");
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "AutoencoderKLWan")
            .put("base_dim", width)
            .put("z_dim", weights.size("post_quant_conv.weight", 0))
            .put("num_res_blocks", blocks);
    ArrayNode multipliers = config.putArray("dim_mult");
    ArrayNode halvesTime = config.putArray("temperal_downsample");
    int levels = 1 + weights.count(i -> step(i, blocks) + ".resample.1.weight");
    for (int level = 0; level < levels; level++) {
      multipliers.add(weights.size(name + level * (blocks + 1) + ".conv1.weight", 0) / width);
      if (level < levels - 1) {
        halvesTime.add(weights.has(step(level, blocks) + ".time_conv.weight"));
      }
    }
    int decoder = weights.size("decoder.conv_in.weight", 0);
    config.put("decoder_base_dim", decoder / Math.max(1, multipliers.get(levels - 1).asInt()));
    return ModelConfig.of(weights.files().origin(), config);
  }

  /** The block that steps down from a level. */
  private static String step(int level, int blocks) {
    return "encoder.down_blocks." + (level * (blocks + 1) + blocks);
  }
}
