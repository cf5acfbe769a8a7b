package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * CLIP's text encoder: a text as one vector, the row of its end token.
 *
 * <p>Per layer: layer norm, causal attention, residual; layer norm, feed-forward with {@link
 * Activation#QUICK_GELU}, residual. Learned positions, a last layer norm, no projection. As no
 * token sees those behind it, padding behind the end token is left out.
 *
 * <p>On a processor the attention runs in float32 whatever the weights are. May be used from
 * several threads.
 *
 * <p>Source: transformers' {@code CLIPTextModel}, {@code pooler_output}.
 */
public final class ClipTextEncoder implements AutoCloseable {
  private final ClipTextConfig config;
  private final Scope weights;
  private final TokenTable table;
  private final Tensor positions; // [positions, width]
  private final List<Layer> layers = new ArrayList<>();
  private final LayerNorm finalNorm;
  private final EncoderHeads heads;

  private record Layer(
      LayerNorm attentionNorm,
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      LayerNorm feedForwardNorm,
      FeedForward feedForward) {}

  /**
   * Asks for every weight of the encoder; the caller then calls {@link Parameters#check}.
   *
   * @param weights the scope that the parameters are loaded into; this encoder closes it
   */
  public ClipTextEncoder(ClipTextConfig config, Parameters parameters, Scope weights) {
    this.config = config;
    this.weights = weights;
    this.heads = new EncoderHeads(config.heads(), config.width() / config.heads());
    String token = "embeddings.token_embedding.weight";
    String prefix = parameters.has("text_model." + token) ? "text_model." : "";
    table = new TokenTable(parameters.get(prefix + token, config.vocabulary(), config.width()));
    positions =
        parameters.get(
            prefix + "embeddings.position_embedding.weight", config.positions(), config.width());
    for (int i = 0; i < config.layers(); i++) {
      layers.add(layer(parameters, prefix + "encoder.layers." + i + "."));
    }
    finalNorm =
        LayerNorm.of(parameters, prefix + "final_layer_norm", config.width(), config.epsilon());
    parameters.ignore(name -> name.endsWith("position_ids"));
  }

  private Layer layer(Parameters parameters, String prefix) {
    int width = config.width();
    String attention = prefix + "self_attn.";
    return new Layer(
        LayerNorm.of(parameters, prefix + "layer_norm1", width, config.epsilon()),
        Linear.of(parameters, attention + "q_proj", width, width),
        Linear.of(parameters, attention + "k_proj", width, width),
        Linear.of(parameters, attention + "v_proj", width, width),
        Linear.of(parameters, attention + "out_proj", width, width),
        LayerNorm.of(parameters, prefix + "layer_norm2", width, config.epsilon()),
        new FeedForward(
            Linear.of(parameters, prefix + "mlp.fc1", width, config.hidden()),
            Activation.QUICK_GELU,
            Linear.of(parameters, prefix + "mlp.fc2", config.hidden(), width)));
  }

  /**
   * Opens the text encoder folder of a checkpoint and checks that its weights fit its {@code
   * config.json}.
   *
   * @throws BadInputException if config or weights are missing, damaged or do not fit
   */
  public static ClipTextEncoder open(Path folder, DType dtype, Device device) {
    ClipTextConfig config = ClipTextConfig.read(ModelConfig.read(folder.resolve("config.json")));
    Scope weights = Scope.detached();
    try {
      Parameters parameters =
          Parameters.load(TensorFiles.in(folder), dtype, device, weights, name -> false);
      ClipTextEncoder encoder = new ClipTextEncoder(config, parameters, weights);
      parameters.check();
      return encoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  public ClipTextConfig config() {
    return config;
  }

  /** Type of the weights and of the result. */
  public DType dtype() {
    return table.rows().dtype();
  }

  /**
   * All rows of a text after the last norm.
   *
   * @param ids INT64 {@code [batch, tokens]}, at most as many tokens as there are positions
   * @return {@code [batch, tokens, width]} in {@link #dtype()}, in the caller's scope
   * @throws BadInputException if an id is outside of the vocabulary or there are too many
   */
  public Tensor encode(Tensor ids) {
    if (ids.dims() == 2 && ids.size(1) > config.positions()) {
      throw new BadInputException(
          "Cannot encode " + ids.size(1) + " tokens: the text encoder knows " + config.positions(),
          "Are tokenizer and text encoder of the same model?");
    }
    try (Scope scope = Scope.open()) {
      Tensor x = table.embed(ids).add(positions.narrow(0, 0, ids.size(1)));
      Tensor bias =
          EncoderHeads.causal(Math.toIntExact(ids.size(1))).to(scoreType()).to(x.device());
      for (Layer layer : layers) {
        Tensor next = apply(layer, x, bias);
        x.close();
        x = next;
      }
      return scope.keep(finalNorm.apply(x).to(dtype()));
    }
  }

  /**
   * The vector of a text: the row of its end token.
   *
   * @param ids INT64 {@code [1, tokens]}; padding may follow the end token
   * @return {@code [1, width]} in {@link #dtype()}, in the caller's scope
   * @throws BadInputException if an id is outside of the vocabulary or there are too many
   */
  public Tensor pooled(Tensor ids) {
    try (Scope scope = Scope.open()) {
      return scope.keep(encode(ids).select(1, end(ids.toLongs())).copy());
    }
  }

  /** Where the text ends: the first end token, or as the reference the first token without one. */
  private int end(long[] ids) {
    int end = 0;
    for (int i = 0; i < ids.length; i++) {
      if (config.endToken() != ClipTextConfig.LARGEST_ID && ids[i] == config.endToken()) {
        return i;
      }
      if (config.endToken() == ClipTextConfig.LARGEST_ID && ids[i] > ids[end]) {
        end = i;
      }
    }
    return end;
  }

  private DType scoreType() {
    return EncoderHeads.scoreType(dtype(), table.rows().device());
  }

  private Tensor apply(Layer layer, Tensor x, Tensor bias) {
    try (Scope scope = Scope.open()) {
      Tensor a = layer.attentionNorm().apply(x);
      Tensor query = heads.split(layer.query().apply(a), scoreType());
      Tensor key = heads.split(layer.key().apply(a), scoreType());
      Tensor value = heads.split(layer.value().apply(a), scoreType());
      double scale = 1 / Math.sqrt(heads.width());
      Tensor mixed = heads.join(query.scaledDotProductAttention(key, value, bias, scale), dtype());
      Tensor y = x.add(layer.output().apply(mixed));
      return scope.keep(y.add(layer.feedForward().apply(layer.feedForwardNorm().apply(y))));
    }
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
