package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.nn.LayerRow;
import dev.gossamer.tensor.nn.LayerRow.Stay;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * The encoder of T5 v1.1 and of UMT5, which turn a prompt's token ids into the vectors that a video
 * transformer attends to.
 *
 * <p>Per block: RMS norm, attention whose scores are neither scaled nor positional but for a table
 * of relative positions, residual; RMS norm, gated GELU, residual. A last RMS norm. No biases.
 *
 * <p>Runs in FLOAT32 or BFLOAT16; FLOAT16 overflows in these models and is refused. On a processor
 * the attention runs in float32 whatever the weights are. May be used from several threads.
 *
 * <p>Source: transformers' {@code T5EncoderModel} and {@code UMT5EncoderModel}.
 */
public final class T5Encoder implements AutoCloseable {
  /** How the names of a block's weights begin. */
  public static final Pattern BLOCK = Pattern.compile("encoder\\.block\\.\\d+\\.");

  private final T5Config config;
  private final Scope weights;
  private final Tensor table;
  private final LayerRow<Block> blocks;
  private final List<Tensor> positions = new ArrayList<>(); // of each block, or of all
  private final Tensor finalNorm;

  private record Block(
      Tensor attentionNorm,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor output,
      Tensor feedForwardNorm,
      Tensor gate,
      Tensor up,
      Tensor down) {}

  /**
   * Asks for every weight of the encoder; the caller then calls {@link Parameters#check}.
   *
   * @param weights the scope that the parameters are loaded into; this encoder closes it
   * @throws UsageException if the weights are FLOAT16
   */
  public T5Encoder(T5Config config, Parameters parameters, Scope weights) {
    this(config, parameters, weights, Stay.RESIDENT);
  }

  private T5Encoder(T5Config config, Parameters parameters, Scope weights, Stay stay) {
    this.blocks =
        LayerRow.of(stay, config.blocks(), parameters, (from, index) -> block(config, from, index));
    this.config = config;
    this.weights = weights;
    String tableName =
        parameters.has("encoder.embed_tokens.weight")
            ? "encoder.embed_tokens.weight"
            : "shared.weight";
    table = parameters.get(tableName, config.vocabulary(), config.width());
    refuseHalf(table.dtype());
    for (int i = 0; i < config.blocks(); i++) {
      if (i == 0 || config.positions() == T5Config.Positions.PER_BLOCK) {
        positions.add(
            parameters.get(
                "encoder.block." + i + ".layer.0.SelfAttention.relative_attention_bias.weight",
                config.buckets(),
                config.heads()));
      }
    }
    finalNorm = parameters.get("encoder.final_layer_norm.weight", config.width());
    // The token table under its other name, a tokenizer, and what only a whole T5 has.
    parameters.ignore(
        name ->
            name.equals("shared.weight")
                || name.equals(Tokenizer.CARRIED)
                || name.startsWith("decoder.")
                || name.startsWith("lm_head."));
  }

  /**
   * Opens the text encoder folder of a checkpoint and checks that its weights fit its {@code
   * config.json}.
   *
   * @throws UsageException if {@code dtype} is neither FLOAT32 nor BFLOAT16
   * @throws BadInputException if config or weights are missing, damaged or do not fit
   */
  public static T5Encoder open(Path folder, DType dtype, Device device) {
    return open(
        T5Config.read(ModelConfig.read(folder.resolve("config.json"))),
        TensorFiles.in(folder),
        dtype,
        device,
        Stay.RESIDENT);
  }

  /**
   * Loads a text encoder of this shape.
   *
   * @param files under transformers' names
   * @param stay how long the weights of its blocks stay in memory
   * @throws UsageException if {@code dtype} is neither FLOAT32 nor BFLOAT16
   * @throws BadInputException if the weights are damaged or do not fit
   */
  public static T5Encoder open(
      T5Config config, TensorFiles files, DType dtype, Device device, Stay stay) {
    refuseHalf(dtype);
    Scope weights = Scope.detached();
    try {
      Parameters parameters = Parameters.load(files, dtype, device, weights, name -> false);
      T5Encoder encoder = new T5Encoder(config, parameters, weights, stay);
      parameters.check();
      return encoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  private static void refuseHalf(DType dtype) {
    if (dtype != DType.FLOAT32 && dtype != DType.BFLOAT16) {
      throw new UsageException(
          "The T5 text encoder cannot run in " + dtype.optionName() + ": its numbers overflow",
          "Use bf16 or fp32");
    }
  }

  private static Block block(T5Config config, Parameters parameters, int index) {
    String prefix = "encoder.block." + index + ".";
    String attention = prefix + "layer.0.SelfAttention.";
    String feedForward = prefix + "layer.1.DenseReluDense.";
    int width = config.width();
    int heads = config.heads() * config.headWidth();
    return new Block(
        parameters.get(prefix + "layer.0.layer_norm.weight", width),
        parameters.get(attention + "q.weight", heads, width),
        parameters.get(attention + "k.weight", heads, width),
        parameters.get(attention + "v.weight", heads, width),
        parameters.get(attention + "o.weight", width, heads),
        parameters.get(prefix + "layer.1.layer_norm.weight", width),
        parameters.get(feedForward + "wi_0.weight", config.hidden(), width),
        parameters.get(feedForward + "wi_1.weight", config.hidden(), width),
        parameters.get(feedForward + "wo.weight", width, config.hidden()));
  }

  public T5Config config() {
    return config;
  }

  /** Type of the weights and of the result. */
  public DType dtype() {
    return table.dtype();
  }

  /**
   * Encodes texts whose every token may be attended to. A prompt without its padding gives the same
   * rows as a padded one with a mask, at a fraction of the work.
   *
   * @param ids INT64 [batch, tokens]
   * @return [batch, tokens, width] in {@link #dtype()}, in the caller's scope
   * @throws BadInputException if an id is outside of the vocabulary
   */
  public Tensor encode(Tensor ids) {
    try (Scope scope = Scope.open()) {
      return scope.keep(encoded(ids, Tensor.zeros(DType.FLOAT32, 1, 1, 1, 1).to(table.device())));
    }
  }

  /**
   * Encodes texts of different lengths, padded to one.
   *
   * @param ids INT64 [batch, tokens]
   * @param mask INT64 or BOOL [batch, tokens]: 0 or false where nobody shall look; rows there hold
   *     numbers without a meaning
   * @return [batch, tokens, width] in {@link #dtype()}, in the caller's scope
   * @throws BadInputException if an id is outside of the vocabulary
   */
  public Tensor encode(Tensor ids, Tensor mask) {
    try (Scope scope = Scope.open()) {
      Tensor hidden = mask.to(table.device()).eq(0).unsqueeze(1).unsqueeze(1);
      Tensor none = Tensor.zeros(DType.FLOAT32, 1).to(table.device()).expand(hidden.shape());
      return scope.keep(encoded(ids, none.maskedFill(hidden, EncoderHeads.UNSEEN)));
    }
  }

  /**
   * @param mask FLOAT32 [batch or 1, 1, 1, tokens or 1], added to the scores of each key
   */
  private Tensor encoded(Tensor ids, Tensor mask) {
    int tokens = Math.toIntExact(ids.size(1));
    Tensor buckets = RelativePositions.buckets(tokens, config).to(table.device());
    Tensor x = new TokenTable(table).embed(ids);
    Tensor bias = bias(positions.get(0), buckets, mask);
    for (int i = 0; i < blocks.count(); i++) {
      if (i > 0 && config.positions() == T5Config.Positions.PER_BLOCK) {
        bias.close();
        bias = bias(positions.get(i), buckets, mask);
      }
      Tensor rows = x;
      Tensor scores = bias;
      x = blocks.with(i, block -> apply(block, rows, scores));
      rows.close();
    }
    return x.rmsNorm(finalNorm, config.epsilon());
  }

  /** [batch or 1, heads, queries, keys]: what relative positions and mask add to the scores. */
  private Tensor bias(Tensor relative, Tensor buckets, Tensor mask) {
    try (Scope scope = Scope.open()) {
      long tokens = Math.round(Math.sqrt(buckets.count()));
      Tensor added =
          relative
              .to(DType.FLOAT32)
              .transpose(0, 1)
              .indexSelect(1, buckets)
              .reshape(1, config.heads(), tokens, tokens);
      return scope.keep(added.add(mask).to(scoreType()));
    }
  }

  private DType scoreType() {
    return EncoderHeads.scoreType(table.dtype(), table.device());
  }

  private Tensor apply(Block block, Tensor x, Tensor bias) {
    try (Scope scope = Scope.open()) {
      Tensor a = x.rmsNorm(block.attentionNorm(), config.epsilon());
      EncoderHeads heads = new EncoderHeads(config.heads(), config.headWidth());
      Tensor query = heads.split(a.linear(block.query(), null), scoreType());
      Tensor key = heads.split(a.linear(block.key(), null), scoreType());
      Tensor value = heads.split(a.linear(block.value(), null), scoreType());
      Tensor mixed =
          heads.join(query.scaledDotProductAttention(key, value, bias, 1), table.dtype());
      Tensor y = x.add(mixed.linear(block.output(), null));
      Tensor f = y.rmsNorm(block.feedForwardNorm(), config.epsilon());
      Tensor gated = f.linear(block.gate(), null).geluTanh().mul(f.linear(block.up(), null));
      return scope.keep(y.add(gated.linear(block.down(), null)));
    }
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
