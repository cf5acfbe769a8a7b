package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.LayerRow;
import dev.gossamer.tensor.nn.LayerRow.Stay;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * CLIP's text encoder: a text as one vector, the row of its end token.
 *
 * <p>Its layers ({@link ClipLayer}) attend causally. Learned positions, a last layer norm, no
 * projection. As no token sees those behind it, padding behind the end token is left out.
 *
 * <p>On a processor the attention runs in float32 whatever the weights are. May be used from
 * several threads.
 *
 * <p>Source: transformers' {@code CLIPTextModel}, {@code pooler_output}.
 */
public final class ClipTextEncoder implements AutoCloseable {
  /** How the names of a layer's weights begin. */
  public static final Pattern LAYER = Pattern.compile("(text_model\\.)?encoder\\.layers\\.\\d+\\.");

  private final ClipTextConfig config;
  private final Scope weights;
  private final TokenTable table;
  private final Tensor positions; // [positions, width]
  private final LayerRow<ClipLayer> layers;
  private final LayerNorm finalNorm;

  /**
   * Asks for every weight of the encoder; the caller then calls {@link Parameters#check}.
   *
   * @param weights the scope that the parameters are loaded into; this encoder closes it
   */
  public ClipTextEncoder(ClipTextConfig config, Parameters parameters, Scope weights) {
    this(config, parameters, weights, Stay.RESIDENT);
  }

  private ClipTextEncoder(ClipTextConfig config, Parameters parameters, Scope weights, Stay stay) {
    this.config = config;
    this.weights = weights;
    EncoderHeads heads = new EncoderHeads(config.heads(), config.width() / config.heads());
    String token = "embeddings.token_embedding.weight";
    String prefix = parameters.has("text_model." + token) ? "text_model." : "";
    table = new TokenTable(parameters.get(prefix + token, config.vocabulary(), config.width()));
    positions =
        parameters.get(
            prefix + "embeddings.position_embedding.weight", config.positions(), config.width());
    layers =
        LayerRow.of(
            stay,
            config.layers(),
            parameters,
            (from, index) ->
                ClipLayer.of(
                    from,
                    prefix + "encoder.layers." + index + ".",
                    heads,
                    config.hidden(),
                    Activation.QUICK_GELU,
                    config.epsilon()));
    finalNorm =
        LayerNorm.of(parameters, prefix + "final_layer_norm", config.width(), config.epsilon());
    parameters.ignore(name -> name.endsWith("position_ids"));
  }

  /**
   * Opens the text encoder folder of a checkpoint and checks that its weights fit its {@code
   * config.json}.
   *
   * @throws BadInputException if config or weights are missing, damaged or do not fit
   */
  public static ClipTextEncoder open(Path folder, DType dtype, Device device) {
    return open(
        ClipTextConfig.read(ModelConfig.read(folder.resolve("config.json"))),
        TensorFiles.in(folder),
        dtype,
        device,
        Stay.RESIDENT);
  }

  /**
   * Loads a text encoder of this shape.
   *
   * @param stay how long the weights of its layers stay in memory
   * @throws BadInputException if the weights are damaged or do not fit
   */
  public static ClipTextEncoder open(
      ClipTextConfig config, TensorFiles files, DType dtype, Device device, Stay stay) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters = Parameters.load(files, dtype, device, weights, name -> false);
      ClipTextEncoder encoder = new ClipTextEncoder(config, parameters, weights, stay);
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
      for (int i = 0; i < layers.count(); i++) {
        Tensor rows = x;
        x = layers.with(i, layer -> layer.apply(rows, bias));
        rows.close();
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

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
