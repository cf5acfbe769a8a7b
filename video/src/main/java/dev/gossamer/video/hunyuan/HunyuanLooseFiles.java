package dev.gossamer.video.hunyuan;

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
import dev.gossamer.video.text.LooseClipText;
import dev.gossamer.video.text.LooseLlama;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * HunyuanVideo in single files: the transformer under the names of its own repository or
 * diffusers', the autoencoder under the names that both share or latent diffusion's, Llama and
 * CLIP.
 */
final class HunyuanLooseFiles implements LooseFiles {
  private static final String AUTOENCODER = "AutoencoderKLHunyuanVideo";

  /** Width of a head of the released model. */
  private static final int HEAD = 128;

  private static final double FLOW_SHIFT = 7;

  @Override
  public List<Part> recognise(TensorFiles stored, Optional<ModelConfig> beside) {
    List<Part> parts = new ArrayList<>();
    LooseWeights.find(
            stored,
            "context_embedder.token_refiner.refiner_blocks.0.norm1.weight",
            HunyuanNames.transformer(0, 0))
        .filter(weights -> weights.has("single_transformer_blocks.0.attn.norm_q.weight"))
        .map(weights -> transformer(weights, beside))
        .ifPresent(parts::add);
    LooseLlama.in(stored, beside)
        .map(text -> new Part(HunyuanFamily.LLAMA, text.config(), text.files()))
        .ifPresent(parts::add);
    LooseClipText.in(stored, beside)
        .map(text -> new Part(HunyuanFamily.CLIP, text.config(), text.files()))
        .ifPresent(parts::add);
    LooseWeights.find(
            stored, "decoder.mid_block.attentions.0.to_q.weight", LatentDiffusionNames.of(0))
        .filter(weights -> weights.has("decoder.conv_in.conv.weight"))
        .map(weights -> autoencoder(weights, beside))
        .ifPresent(parts::add);
    return parts;
  }

  @Override
  public Map<String, StoredAs> originalNames(TensorFiles transformer) {
    return HunyuanNames.transformer(
            transformer.size("proj_out.weight", 1),
            transformer.size("single_transformer_blocks.0.proj_mlp.weight", 0))
        .places(transformer.entries().keySet());
  }

  @Override
  public List<String> needed(String pipeline) {
    return List.of(
        HunyuanFamily.LLAMA,
        HunyuanFamily.CLIP,
        HunyuanFamily.TRANSFORMER,
        HunyuanFamily.VAE,
        HunyuanFamily.LLAMA_TOKENIZER,
        HunyuanFamily.CLIP_TOKENIZER);
  }

  @Override
  public Map<String, ObjectNode> settings(Part transformer) {
    return Map.of(
        "scheduler",
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "FlowMatchEulerDiscreteScheduler")
            .put("shift", FLOW_SHIFT));
  }

  private static Part transformer(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().equals("HunyuanVideoTransformer3DModel"))
            .orElseGet(() -> transformerConfig(weights));
    HunyuanTransformerConfig shape = HunyuanTransformerConfig.of(config);
    return new Part(
        HunyuanFamily.TRANSFORMER,
        config,
        weights.renamed(
            HunyuanNames.transformer(shape.width(), shape.inner()),
            parameters -> HunyuanTransformer.of(shape, parameters).close()),
        Optional.of(HunyuanFamily.PIPELINE));
  }

  /** How positions turn is as in the released model: no tensor tells. */
  private static ModelConfig transformerConfig(LooseWeights weights) {
    String patches = "x_embedder.proj.weight";
    int width = weights.size(patches, 0);
    int head = Math.max(1, weights.size("transformer_blocks.0.attn.norm_q.weight", 0));
    if (head != HEAD) {
      throw new BadInputException(
          "Cannot tell how positions turn in the transformer in "
              + weights.files().origin()
              + ": its heads are "
              + head
              + " wide",
          "Put its config.json, with rope_axes_dim, beside it");
    }
    int pixels = 1;
    for (int axis = 2; axis < 5; axis++) {
      pixels *= Math.max(1, weights.size(patches, axis));
    }
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", "HunyuanVideoTransformer3DModel")
            .put("num_attention_heads", width / head)
            .put("attention_head_dim", head)
            .put("in_channels", weights.size(patches, 1))
            .put("out_channels", weights.size("proj_out.weight", 0) / pixels)
            .put("patch_size_t", weights.size(patches, 2))
            .put("patch_size", weights.size(patches, 3))
            .put(
                "num_layers", weights.count(i -> "transformer_blocks." + i + ".attn.norm_q.weight"))
            .put(
                "num_single_layers",
                weights.count(i -> "single_transformer_blocks." + i + ".attn.norm_q.weight"))
            .put(
                "num_refiner_layers",
                weights.count(
                    i -> "context_embedder.token_refiner.refiner_blocks." + i + ".norm1.weight"))
            .put(
                "mlp_ratio",
                (double) weights.size("transformer_blocks.0.ff.net.0.proj.weight", 0) / width)
            .put("text_embed_dim", weights.size("context_embedder.proj_in.weight", 1))
            .put(
                "pooled_projection_dim",
                weights.size("time_text_embed.text_embedder.linear_1.weight", 1))
            .put(
                "guidance_embeds",
                weights.has("time_text_embed.guidance_embedder.linear_1.weight"));
    return ModelConfig.of(weights.files().origin(), config);
  }

  private static Part autoencoder(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().equals(AUTOENCODER))
            .orElseGet(
                () ->
                    LooseAutoencoder.config(
                        weights, AUTOENCODER, weights.size("post_quant_conv.weight", 0)));
    HunyuanAutoencoderConfig shape = HunyuanAutoencoderConfig.of(config);
    return new Part(
        HunyuanFamily.VAE,
        config,
        weights
            .renamed(
                LatentDiffusionNames.of(shape.levels()),
                parameters -> HunyuanAutoencoder.inspect(shape, parameters))
            // some store these products as convolutions
            .flattened(name -> name.matches(".*\\.attentions\\.0\\.to_.*\\.weight")));
  }
}
