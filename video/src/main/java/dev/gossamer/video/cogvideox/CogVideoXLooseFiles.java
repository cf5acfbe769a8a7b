package dev.gossamer.video.cogvideox;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.autoencoder.LatentDiffusionNames;
import dev.gossamer.video.autoencoder.LooseAutoencoder;
import dev.gossamer.video.cogvideox.CogVideoXTransformerConfig.Positions;
import dev.gossamer.video.text.LooseT5;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * CogVideoX in single files: the transformer and the autoencoder under the names of its own
 * repository or diffusers', the T5 encoder under transformers'.
 */
final class CogVideoXLooseFiles implements LooseFiles {
  private static final String AUTOENCODER = "AutoencoderKLCogVideoX";

  /** Width of the 2B model, the only one whose positions are sines; no tensor tells. */
  private static final int WIDTH_2B = 1920;

  private static final double SCALING_2B = 1.15258426;
  private static final double SCALING_5B = 0.7;

  @Override
  public List<Part> recognise(TensorFiles stored, Optional<ModelConfig> beside) {
    List<Part> parts = new ArrayList<>();
    LooseWeights.find(
            stored, "transformer_blocks.0.attn1.norm_q.bias", CogVideoXNames.transformer(0))
        .filter(weights -> weights.has("patch_embed.text_proj.weight"))
        .map(weights -> transformer(weights, beside))
        .ifPresent(parts::add);
    LooseT5.in(stored, beside)
        .filter(text -> text.config().className().equals("T5EncoderModel"))
        .map(text -> new Part(CogVideoXFamily.TEXT_ENCODER, text.config(), text.files()))
        .ifPresent(parts::add);
    LooseWeights.find(
            stored,
            "decoder.mid_block.resnets.0.norm1.conv_y.conv.weight",
            LatentDiffusionNames.of(0))
        .map(weights -> autoencoder(weights, beside))
        .ifPresent(parts::add);
    return parts;
  }

  @Override
  public Map<String, StoredAs> originalNames(TensorFiles transformer) {
    return CogVideoXNames.transformer(transformer.size("proj_out.weight", 1))
        .places(transformer.entries().keySet());
  }

  @Override
  public List<String> needed(String pipeline) {
    return List.of(
        CogVideoXFamily.TEXT_ENCODER,
        CogVideoXFamily.TRANSFORMER,
        CogVideoXFamily.VAE,
        CogVideoXFamily.TOKENIZER);
  }

  /** The sizes of CogVideoX share an autoencoder; each has its own range of latents and noise. */
  @Override
  public Map<String, ObjectNode> settings(Part transformer) {
    boolean small =
        CogVideoXTransformerConfig.of(transformer.config()).positions() == Positions.SINUSOIDAL;
    ObjectMapper json = new ObjectMapper();
    return Map.of(
        "scheduler",
        json.createObjectNode()
            .put("_class_name", "CogVideoXDDIMScheduler")
            .put("beta_start", 0.00085)
            .put("beta_end", 0.012)
            .put("beta_schedule", "scaled_linear")
            .put("clip_sample", false)
            .put("prediction_type", "v_prediction")
            .put("rescale_betas_zero_snr", true)
            .put("set_alpha_to_one", true)
            .put("timestep_spacing", "trailing")
            .put("snr_shift_scale", small ? 3.0 : 1.0),
        CogVideoXFamily.VAE,
        json.createObjectNode().put("scaling_factor", small ? SCALING_2B : SCALING_5B));
  }

  private static Part transformer(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().equals("CogVideoXTransformer3DModel"))
            .orElseGet(() -> transformerConfig(weights));
    CogVideoXTransformerConfig shape = CogVideoXTransformerConfig.of(config);
    if (weights.others().isPresent() && shape.patchFrames() > 1) {
      throw new BadInputException(
          "Cannot read " + weights.files().origin() + ": it is CogVideoX 1.5 under its own names",
          "Use the model in diffusers' layout or names");
    }
    return new Part(
        CogVideoXFamily.TRANSFORMER,
        config,
        weights
            .renamed(
                CogVideoXNames.transformer(shape.width()),
                parameters -> CogVideoXTransformer.of(shape, parameters).close())
            .without(CogVideoXLooseFiles::isMadeHere),
        Optional.of(CogVideoXFamily.PIPELINE));
  }

  /** Positions, and a table of tokens that nothing looks up. */
  private static boolean isMadeHere(String name) {
    return name.startsWith("mixins.pos_embed.")
        || name.startsWith("transformer.position_embeddings.")
        || name.startsWith("transformer.word_embeddings.");
  }

  private static ModelConfig transformerConfig(LooseWeights weights) {
    String patches = "patch_embed.proj.weight";
    int width = weights.size(patches, 0);
    int head = Math.max(1, weights.size("transformer_blocks.0.attn1.norm_q.bias", 0));
    boolean volume = weights.rank(patches) == 2;
    int patch = volume ? 2 : weights.size(patches, 2);
    int pixels = volume ? 2 * patch * patch : patch * patch;
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "CogVideoXTransformer3DModel")
            .put("num_attention_heads", width / head)
            .put("attention_head_dim", head)
            .put("patch_size", patch)
            .put(
                "in_channels",
                volume ? weights.size(patches, 1) / pixels : weights.size(patches, 1))
            .put("out_channels", weights.size("proj_out.weight", 0) / pixels)
            .put("num_layers", weights.count(i -> "transformer_blocks." + i + ".attn1.norm_q.bias"))
            .put("text_embed_dim", weights.size("patch_embed.text_proj.weight", 1))
            .put("time_embed_dim", weights.size("time_embedding.linear_1.weight", 0))
            .put("use_rotary_positional_embeddings", width != WIDTH_2B);
    if (volume) {
      config.put("patch_size_t", 2);
    }
    return ModelConfig.of(weights.files().origin(), config);
  }

  private static Part autoencoder(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().equals(AUTOENCODER))
            .orElseGet(
                () ->
                    LooseAutoencoder.config(
                        weights, AUTOENCODER, weights.size("decoder.conv_in.conv.weight", 1)));
    CogVideoXAutoencoderConfig shape = CogVideoXAutoencoderConfig.of(config);
    return new Part(
        CogVideoXFamily.VAE,
        config,
        weights
            .renamed(
                LatentDiffusionNames.of(shape.levels()),
                parameters -> CogVideoXAutoencoder.inspect(shape, parameters))
            .without(name -> name.startsWith("loss.")));
  }
}
