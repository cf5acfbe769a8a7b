package dev.gossamer.video.wan;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.text.LooseClipVision;
import dev.gossamer.video.text.LooseT5;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

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
        .map(
            text -> new Part(WanFamily.TEXT_ENCODER, text.config(), text.files(), Optional.empty()))
        .ifPresent(parts::add);
    autoencoder(stored, beside).ifPresent(parts::add);
    LooseClipVision.in(stored, beside)
        .map(
            image ->
                new Part(WanFamily.IMAGE_ENCODER, image.config(), image.files(), Optional.empty()))
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
  public Map<String, ObjectNode> settings(String pipeline) {
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
    String norm = "blocks.0.attn2.norm_q.weight";
    Optional<String> own = stored.prefixOf(norm);
    Optional<String> original = stored.prefixOf(WanNames.TRANSFORMER.of(norm));
    if (own.isEmpty() && original.isEmpty()) {
      return Optional.empty();
    }
    TensorFiles files = stored.under(own.or(() -> original).orElseThrow()).unscaled();
    UnaryOperator<String> naming =
        own.isPresent() ? UnaryOperator.identity() : WanNames.TRANSFORMER::of;
    ModelConfig config =
        beside
            .filter(found -> found.className().equals("WanTransformer3DModel"))
            .orElseGet(() -> transformerConfig(files, naming, beside));
    WanTransformerConfig shape = WanTransformerConfig.of(config);
    return Optional.of(
        new Part(
            WanFamily.TRANSFORMER,
            config,
            own.isPresent()
                ? files
                : renamed(
                    files,
                    WanNames.TRANSFORMER,
                    parameters -> WanTransformer.of(shape, parameters).close()),
            Optional.of(shape.seesImage() ? WanFamily.IMAGE_TO_VIDEO : WanFamily.TEXT_TO_VIDEO)));
  }

  private static TensorFiles renamed(
      TensorFiles files, NameTable table, Consumer<Parameters> model) {
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached()) {
      Parameters outline = Parameters.outline(owner);
      model.accept(outline);
      return files.renamed(table.places(outline.asked().keySet()));
    }
  }

  private static ModelConfig transformerConfig(
      TensorFiles files, UnaryOperator<String> naming, Optional<ModelConfig> beside) {
    String patches = naming.apply("patch_embedding.weight");
    int width = files.size(patches, 0);
    ObjectNode config =
        new ObjectMapper().createObjectNode().put("_class_name", "WanTransformer3DModel");
    ArrayNode patch = config.putArray("patch_size");
    int pixels = 1;
    for (int axis = 2; axis < 5; axis++) {
      int size = Math.max(1, files.size(patches, axis));
      patch.add(size);
      pixels *= size;
    }
    int heads = heads(files, width, beside);
    config
        .put("num_attention_heads", heads)
        .put("attention_head_dim", width / heads)
        .put("in_channels", files.size(patches, 1))
        .put("out_channels", files.size(naming.apply("proj_out.weight"), 0) / pixels);
    sized(config, "text_dim", files, naming, "condition_embedder.text_embedder.linear_1.weight", 1);
    sized(config, "freq_dim", files, naming, "condition_embedder.time_embedder.linear_1.weight", 1);
    sized(config, "ffn_dim", files, naming, "blocks.0.ffn.net.0.proj.weight", 0);
    String image = "condition_embedder.image_embedder.norm1.weight";
    if (files.has(naming.apply(image))) {
      sized(config, "image_dim", files, naming, image, 0);
      sized(config, "added_kv_proj_dim", files, naming, "blocks.0.attn2.add_k_proj.weight", 1);
    }
    String positions = "condition_embedder.image_embedder.pos_embed";
    if (files.has(naming.apply(positions))) {
      sized(config, "pos_embed_seq_len", files, naming, positions, 1);
    }
    config.put(
        "num_layers", files.count(i -> naming.apply("blocks." + i + ".attn2.norm_q.weight")));
    return ModelConfig.of(files.origin(), config);
  }

  private static void sized(
      ObjectNode config,
      String key,
      TensorFiles files,
      UnaryOperator<String> naming,
      String tensor,
      int axis) {
    config.put(key, files.size(naming.apply(tensor), axis));
  }

  /** From the configuration of Wan's own repository, else from the released width of a head. */
  private static int heads(TensorFiles files, int width, Optional<ModelConfig> beside) {
    int released = width % HEAD == 0 ? width / HEAD : 0;
    int heads =
        beside
            .filter(found -> found.className().equals("WanModel"))
            .map(found -> found.whole("num_heads", released))
            .orElse(released);
    if (heads < 1 || width % heads != 0) {
      throw new BadInputException(
          "Cannot tell the heads of the transformer in "
              + files.origin()
              + ": it is "
              + width
              + " wide",
          "Put its config.json, with num_heads, beside it");
    }
    return heads;
  }

  private static Optional<Part> autoencoder(TensorFiles stored, Optional<ModelConfig> beside) {
    Optional<String> own = stored.prefixOf("decoder.up_blocks.0.resnets.0.norm1.gamma");
    Optional<String> original = stored.prefixOf("decoder.upsamples.0.residual.0.gamma");
    if (own.isEmpty() && original.isEmpty()) {
      return Optional.empty();
    }
    TensorFiles files = stored.under(own.or(() -> original).orElseThrow()).unscaled();
    NameTable encoder = WanNames.autoencoder(0, 0); // which the decoder's row does not concern
    UnaryOperator<String> naming = own.isPresent() ? UnaryOperator.identity() : encoder::of;
    ModelConfig config =
        beside
            .filter(found -> found.className().equals("AutoencoderKLWan"))
            .orElseGet(() -> autoencoderConfig(files, naming));
    WanAutoencoderConfig shape = WanAutoencoderConfig.of(config);
    return Optional.of(
        new Part(
            WanFamily.VAE,
            config,
            own.isPresent()
                ? files
                : renamed(
                    files,
                    WanNames.autoencoder(shape.levels(), shape.blocks()),
                    parameters -> WanAutoencoder.inspect(shape, parameters)),
            Optional.empty()));
  }

  /** Read off the encoder, whose blocks stand in one row: the blocks of a level, then a step. */
  private static ModelConfig autoencoderConfig(TensorFiles files, UnaryOperator<String> naming) {
    int width = files.size(naming.apply("encoder.conv_in.weight"), 0);
    int blocks = files.count(i -> naming.apply("encoder.down_blocks." + i + ".conv1.weight"));
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "AutoencoderKLWan")
            .put("base_dim", width)
            .put("z_dim", files.size(naming.apply("post_quant_conv.weight"), 0))
            .put("num_res_blocks", blocks);
    ArrayNode multipliers = config.putArray("dim_mult");
    ArrayNode halvesTime = config.putArray("temperal_downsample");
    String name = "encoder.down_blocks.";
    int levels = 1 + files.count(i -> naming.apply(step(i, blocks) + ".resample.1.weight"));
    for (int level = 0; level < levels; level++) {
      String first = name + level * (blocks + 1) + ".conv1.weight";
      multipliers.add(files.size(naming.apply(first), 0) / width);
      if (level < levels - 1) {
        halvesTime.add(files.has(naming.apply(step(level, blocks) + ".time_conv.weight")));
      }
    }
    int decoder = files.size(naming.apply("decoder.conv_in.weight"), 0);
    config.put("decoder_base_dim", decoder / Math.max(1, multipliers.get(levels - 1).asInt()));
    return ModelConfig.of(files.origin(), config);
  }

  /** The block that steps down from a level. */
  private static String step(int level, int blocks) {
    return "encoder.down_blocks." + (level * (blocks + 1) + blocks);
  }
}
