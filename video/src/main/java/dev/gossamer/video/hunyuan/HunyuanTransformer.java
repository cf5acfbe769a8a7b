package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.Attention;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.LayerRow;
import dev.gossamer.tensor.nn.LayerRow.Stay;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RowRuns;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.transformer.Patches;
import java.util.Arrays;
import java.util.regex.Pattern;

/**
 * HunyuanVideo's diffusion transformer (diffusers' HunyuanVideoTransformer3DModel): from noisy
 * latents, a timestep, a guidance and a prompt to the velocity that a scheduler steps along.
 *
 * <p>Video and text pass one {@link dev.gossamer.attention.Attention} in each layer, the text's
 * tokens last. The reference pads the text and masks the padding; here the padding is cut, which
 * gives the same video and leaves no key that nobody may see. The residual stream is float32 in
 * every model type.
 *
 * <p>One model serves any number of threads at once, each with its own scopes. It owns its weights
 * until it is closed.
 */
public final class HunyuanTransformer implements AutoCloseable {
  /** How the names of a block's weights begin. */
  static final Pattern BLOCK = Pattern.compile("(single_)?transformer_blocks\\.\\d+\\.");

  private final HunyuanTransformerConfig config;
  private final Scope owner;
  private final Patches patches;
  private final Linear patchEmbedding; // a convolution whose kernel is its stride
  private final Conditioning conditioning;
  private final TokenRefiner refiner;
  private final LayerRow<Block> blocks;
  private final Linear outputModulation;
  private final Linear output;
  private final RowRuns runs;

  private HunyuanTransformer(
      HunyuanTransformerConfig config, Parameters parameters, Scope owner, Stay stay) {
    this.config = config;
    this.owner = owner;
    this.patches =
        new Patches(config.channels(), config.patchFrames(), config.patch(), config.patch());
    int width = config.width();
    Tensor patchWeight =
        parameters.get(
            "x_embedder.proj.weight",
            width,
            config.channels(),
            config.patchFrames(),
            config.patch(),
            config.patch());
    this.patchEmbedding =
        Linear.of(
            owner.adopt(patchWeight.flatten(1, 4)), parameters.get("x_embedder.proj.bias", width));
    this.conditioning = Conditioning.of(parameters, config);
    this.refiner = new TokenRefiner(parameters, config);
    this.blocks =
        LayerRow.of(stay, config.layers(), parameters, (from, index) -> block(config, from, index));
    this.outputModulation = Linear.of(parameters, "norm_out.linear", width, 2L * width);
    this.output = Linear.of(parameters, "proj_out", width, patches.size());
    this.runs = RowRuns.of(patchWeight.device(), (long) config.inner() + width);
  }

  private static Block block(HunyuanTransformerConfig config, Parameters parameters, int index) {
    return index < config.dualLayers()
        ? DualBlock.of(parameters, index, config)
        : SingleBlock.of(parameters, index - config.dualLayers(), config);
  }

  /**
   * Loads the transformer of a checkpoint folder, {@code config.json} included.
   *
   * @param dtype FLOAT32, BFLOAT16 or FLOAT16
   * @throws dev.gossamer.tensor.failure.BadInputException if the folder holds another model or its
   *     weights do not fit
   */
  public static HunyuanTransformer load(TensorFiles files, DType dtype, Device device) {
    return load(
        HunyuanTransformerConfig.of(ModelConfig.read(files.origin().resolve("config.json"))),
        files,
        dtype,
        device,
        Stay.RESIDENT);
  }

  /**
   * Loads weights of this shape.
   *
   * @param files under diffusers' names
   * @param stay how long the weights of its blocks stay in memory
   * @throws dev.gossamer.tensor.failure.BadInputException if they do not fit
   */
  public static HunyuanTransformer load(
      HunyuanTransformerConfig config, TensorFiles files, DType dtype, Device device, Stay stay) {
    Scope owner = Scope.detached();
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.load(files, dtype, device, owner, name -> false);
      HunyuanTransformer model = new HunyuanTransformer(config, parameters, owner, stay);
      parameters.check();
      return model;
    } catch (RuntimeException | Error e) {
      owner.close();
      throw e;
    }
  }

  /**
   * The model over whatever the parameters hand out, for looking at what it asks for; the weights
   * belong to the caller.
   */
  public static HunyuanTransformer of(HunyuanTransformerConfig config, Parameters parameters) {
    try (Scope scope = Scope.open()) {
      return new HunyuanTransformer(config, parameters, Scope.detached(), Stay.RESIDENT);
    }
  }

  public HunyuanTransformerConfig config() {
    return config;
  }

  /** The type that the model computes in. */
  public DType dtype() {
    return output.dtype();
  }

  /**
   * The tokens of latents of this size with a text behind them.
   *
   * @throws UsageException if the latents do not divide into patches or an axis is too long
   */
  public static TokenGrid grid(
      HunyuanTransformerConfig config, long frames, long height, long width, int textTokens) {
    return new TokenGrid(
        axis("frames", frames, config.patchFrames()),
        axis("rows", height, config.patch()),
        axis("columns", width, config.patch()),
        0,
        textTokens);
  }

  private static int axis(String name, long latents, int patch) {
    int longest = HunyuanTransformerConfig.LONGEST_AXIS;
    if (latents < patch || latents % patch != 0 || latents / patch > longest) {
      throw new UsageException(
          "Cannot cut " + latents + " latent " + name + " into patches of " + patch,
          "Use a multiple of " + patch + ", at most " + (long) patch * longest);
    }
    return (int) (latents / patch);
  }

  /**
   * One pass.
   *
   * @param latents {@code [1, channels, frames, height, width]}
   * @param timestep of the scheduler, 0 to 1000
   * @param guidance weight of the prompt, which this model takes as an input
   * @param session attentions of this video
   * @param branch guidance branch, for the session
   * @param step denoising step from 0, for the session
   * @return the velocity, {@code [1, channels, frames, height, width]} in the model's type, in the
   *     current scope
   */
  public Tensor predict(
      Tensor latents,
      double timestep,
      double guidance,
      HunyuanPrompt prompt,
      AttentionSession session,
      int branch,
      int step) {
    if (latents.dims() != 5 || latents.size(0) != 1 || latents.size(1) != config.channels()) {
      throw new IllegalArgumentException("Latents " + Arrays.toString(latents.shape()));
    }
    try (Scope scope = Scope.open()) {
      TokenGrid grid =
          grid(config, latents.size(2), latents.size(3), latents.size(4), prompt.tokens());
      Device device = output.weight().device();
      Tensor signal = conditioning.embed(timestep, guidance, prompt.pooled().to(device)).silu();
      Tensor x = embed(latents.to(device), prompt.text().to(device), timestep, grid);
      Pass pass = new Pass(signal, rotation(grid, device), grid.videoTokens(), step, runs);
      for (int i = 0; i < blocks.count(); i++) {
        Attention attention = session.attention(i, branch);
        blocks.run(i, block -> block.apply(x, pass, attention));
      }
      Tensor tokens = project(x.narrow(1, 0, grid.videoTokens()), signal);
      return scope.keep(patches.join(tokens, grid, Patches.Channel.FIRST));
    }
  }

  /** Latents and text to tokens, {@code [1, tokens, width]} FLOAT32, video before text. */
  private Tensor embed(Tensor latents, Tensor text, double timestep, TokenGrid grid) {
    Tensor video = patchEmbedding.apply(patches.cut(latents, grid));
    Tensor words = refiner.refine(text, timestep);
    return Tensor.cat(1, video.to(DType.FLOAT32), words.to(DType.FLOAT32));
  }

  /** {@code [tokens, headDim]}: pairs (cos, sin) of the video's tokens, (1, 0) of the text's. */
  private Tensor rotation(TokenGrid grid, Device device) {
    Tensor video =
        config.rotaryEmbedding().table(device, grid.frames(), grid.height(), grid.width());
    float[] still = new float[grid.textAfter() * config.headDim()];
    for (int i = 0; i < still.length; i += 2) {
      still[i] = 1;
    }
    return Tensor.cat(0, video, Tensor.of(still, grid.textAfter(), config.headDim()).to(device));
  }

  /** The last normalisation and projection, {@code [1, tokens, patch]}. */
  private Tensor project(Tensor x, Tensor signal) {
    LayerNorm norm = Modulation.of(outputModulation.apply(signal), x.size(2)).norm(1, 0);
    Tensor result = Tensor.empty(dtype(), x.device(), x.size(0), x.size(1), patches.size());
    runs.forEach(
        x.size(1),
        (start, rows) ->
            result
                .narrow(1, start, rows)
                .copyFrom(output.apply(norm.apply(x.narrow(1, start, rows), dtype()))));
    return result;
  }

  /** Frees the weights. */
  @Override
  public void close() {
    owner.close();
  }
}
