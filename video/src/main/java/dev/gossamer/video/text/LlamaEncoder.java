package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.nn.LayerRow;
import dev.gossamer.tensor.nn.LayerRow.Stay;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.nn.RotaryEmbedding;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A Llama language model as a text encoder: its hidden states before the last two layers, without
 * the final norm. Those two layers, the norm and the head are neither loaded nor run.
 *
 * <p>Per layer: RMS norm, causal attention with rotary positions and grouped heads, residual; RMS
 * norm, gated SiLU, residual. No biases. As no token sees those behind it, padding behind a text
 * changes nothing before it, and is left out.
 *
 * <p>On a processor the attention runs in float32 whatever the weights are. May be used from
 * several threads.
 *
 * <p>Source: transformers' {@code LlamaModel}, {@code hidden_states[-3]}, as diffusers' {@code
 * HunyuanVideoPipeline} uses it.
 */
public final class LlamaEncoder implements AutoCloseable {
  /** How the names of a layer's weights begin. */
  public static final Pattern LAYER =
      Pattern.compile("((language_model\\.)?model\\.)?layers\\.\\d+\\.");

  private final LlamaConfig config;
  private final Scope weights;
  private final TokenTable table;
  private final LayerRow<Layer> layers;
  private final RotaryEmbedding positions;
  private final EncoderHeads queryHeads;
  private final EncoderHeads keyHeads;

  private record Layer(
      RmsNorm attentionNorm,
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      RmsNorm feedForwardNorm,
      Linear gate,
      Linear up,
      Linear down) {}

  /**
   * Asks for the weights of the layers that are run; the caller then calls {@link
   * Parameters#check}.
   *
   * @param weights the scope that the parameters are loaded into; this encoder closes it
   */
  public LlamaEncoder(LlamaConfig config, Parameters parameters, Scope weights) {
    this(config, parameters, weights, Stay.RESIDENT);
  }

  private LlamaEncoder(LlamaConfig config, Parameters parameters, Scope weights, Stay stay) {
    this.config = config;
    this.weights = weights;
    this.positions = new RotaryEmbedding(config.theta(), List.of(config.headWidth()));
    this.queryHeads = new EncoderHeads(config.heads(), config.headWidth());
    this.keyHeads = new EncoderHeads(config.keyHeads(), config.headWidth());
    String prefix =
        Stream.of("model.", "language_model.model.")
            .filter(name -> parameters.has(name + "embed_tokens.weight"))
            .findFirst()
            .orElse("");
    table =
        new TokenTable(
            parameters.get(prefix + "embed_tokens.weight", config.vocabulary(), config.width()));
    layers =
        LayerRow.of(
            stay,
            config.layersRun(),
            parameters,
            (from, index) -> layer(from, prefix + "layers." + index + "."));
    parameters.ignore(name -> isUnused(prefix, name));
  }

  /** What a whole language model has beyond the layers that are run. */
  private boolean isUnused(String prefix, String name) {
    return name.startsWith(prefix + "layers." + (config.layers() - 2) + ".")
        || name.startsWith(prefix + "layers." + (config.layers() - 1) + ".")
        || name.equals(prefix + "norm.weight")
        || name.contains("lm_head.")
        || name.endsWith(".rotary_emb.inv_freq");
  }

  /** Whether a tensor of a checkpoint is loaded. */
  public static boolean loads(LlamaConfig config, String name) {
    String last = "layers." + (config.layers() - 1) + ".";
    String lastButOne = "layers." + (config.layers() - 2) + ".";
    return name.contains("embed_tokens.")
        || name.contains("layers.") && !name.contains(last) && !name.contains(lastButOne);
  }

  private Layer layer(Parameters parameters, String prefix) {
    int width = config.width();
    long heads = (long) config.heads() * config.headWidth();
    long keys = (long) config.keyHeads() * config.headWidth();
    String attention = prefix + "self_attn.";
    return new Layer(
        RmsNorm.of(parameters, prefix + "input_layernorm", width, config.epsilon()),
        neighbouring(parameters, attention + "q_proj.weight", heads),
        neighbouring(parameters, attention + "k_proj.weight", keys),
        Linear.withoutBias(parameters, attention + "v_proj", width, keys),
        Linear.withoutBias(parameters, attention + "o_proj", heads, width),
        RmsNorm.of(parameters, prefix + "post_attention_layernorm", width, config.epsilon()),
        Linear.withoutBias(parameters, prefix + "mlp.gate_proj", width, config.hidden()),
        Linear.withoutBias(parameters, prefix + "mlp.up_proj", width, config.hidden()),
        Linear.withoutBias(parameters, prefix + "mlp.down_proj", config.hidden(), width));
  }

  /**
   * Llama turns the pairs (j, j + half) of a head. Here the rows of the projection are moved so
   * that they are the pairs (2j, 2j + 1) of {@link RotaryEmbedding}: the same for queries and keys,
   * so that their products stay.
   */
  private Linear neighbouring(Parameters parameters, String name, long rows) {
    int half = config.headWidth() / 2;
    Tensor weight =
        parameters.derive(
            stored ->
                stored
                    .reshape(rows / config.headWidth(), 2, half, config.width())
                    .transpose(1, 2)
                    .reshape(rows, config.width()),
            name,
            rows,
            config.width());
    return Linear.withoutBias(weight);
  }

  /**
   * Opens the text encoder folder of a checkpoint and checks that its weights fit its {@code
   * config.json}.
   *
   * @throws BadInputException if config or weights are missing, damaged or do not fit
   */
  public static LlamaEncoder open(Path folder, DType dtype, Device device) {
    return open(
        LlamaConfig.read(ModelConfig.read(folder.resolve("config.json"))),
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
  public static LlamaEncoder open(
      LlamaConfig config, TensorFiles files, DType dtype, Device device, Stay stay) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters = Parameters.load(files, dtype, device, weights, name -> false);
      LlamaEncoder encoder = new LlamaEncoder(config, parameters, weights, stay);
      parameters.check();
      return encoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  public LlamaConfig config() {
    return config;
  }

  /** Type of the weights and of the result. */
  public DType dtype() {
    return table.rows().dtype();
  }

  /**
   * Encodes texts; padding may follow them, and its rows mean nothing.
   *
   * @param ids INT64 {@code [batch, tokens]}
   * @return {@code [batch, tokens, width]} in {@link #dtype()}, in the caller's scope
   * @throws BadInputException if an id is outside of the vocabulary
   */
  public Tensor encode(Tensor ids) {
    try (Scope scope = Scope.open()) {
      Tensor x = table.embed(ids);
      int tokens = Math.toIntExact(ids.size(1));
      Tensor rotation = positions.table(x.device(), tokens);
      Tensor bias = EncoderHeads.causal(tokens).to(scoreType()).to(x.device());
      for (int i = 0; i < layers.count(); i++) {
        Tensor rows = x;
        x = layers.with(i, layer -> apply(layer, rows, rotation, bias));
        rows.close();
      }
      return scope.keep(x);
    }
  }

  private DType scoreType() {
    return EncoderHeads.scoreType(dtype(), table.rows().device());
  }

  private Tensor apply(Layer layer, Tensor x, Tensor rotation, Tensor bias) {
    try (Scope scope = Scope.open()) {
      Tensor a = layer.attentionNorm().apply(x);
      Tensor query = turned(queryHeads, layer.query().apply(a), rotation);
      Tensor key = shared(turned(keyHeads, layer.key().apply(a), rotation));
      Tensor value = shared(keyHeads.split(layer.value().apply(a), scoreType()));
      double scale = 1 / Math.sqrt(config.headWidth());
      Tensor mixed =
          queryHeads.join(query.scaledDotProductAttention(key, value, bias, scale), dtype());
      Tensor y = x.add(layer.output().apply(mixed));
      Tensor f = layer.feedForwardNorm().apply(y);
      Tensor gated = layer.gate().apply(f).silu().mul(layer.up().apply(f));
      return scope.keep(y.add(layer.down().apply(gated)));
    }
  }

  /** Rows to heads with their positions. */
  private Tensor turned(EncoderHeads heads, Tensor rows, Tensor rotation) {
    return heads.split(rows, DType.FLOAT32).rotatePairs(rotation).to(scoreType());
  }

  /** A head of keys or values for each head of the queries. */
  private Tensor shared(Tensor heads) {
    int group = config.heads() / config.keyHeads();
    return group == 1
        ? heads
        : heads
            .unsqueeze(2)
            .expand(heads.size(0), heads.size(1), group, heads.size(2), heads.size(3))
            .reshape(heads.size(0), config.heads(), heads.size(2), heads.size(3));
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
