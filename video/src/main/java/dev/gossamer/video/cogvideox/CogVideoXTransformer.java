package dev.gossamer.video.cogvideox;

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
import dev.gossamer.tensor.nn.TimestepEmbedding;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LatentLayout;
import dev.gossamer.video.cogvideox.CogVideoXTransformerConfig.Positions;
import dev.gossamer.video.cogvideox.CogVideoXTransformerConfig.Token;
import dev.gossamer.video.transformer.Patches;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * CogVideoX's diffusion transformer (diffusers' {@code CogVideoXTransformer3DModel}), 2B, 5B and
 * 1.5-5B: from noisy latents, a timestep and a prompt to the v that a scheduler steps along. Text
 * and video are one sequence, text first.
 *
 * <p>Its attention goes through {@link dev.gossamer.attention.Attention}. One model serves any
 * number of threads at once, each with its own scopes. It owns its weights until it is closed.
 */
public final class CogVideoXTransformer implements AutoCloseable {
  /** How the names of a block's weights begin. */
  static final Pattern BLOCK = Pattern.compile("transformer_blocks\\.\\d+\\.");

  private final CogVideoXTransformerConfig config;
  private final Scope owner;
  private final Linear patchEmbedding; // a convolution whose kernel is its stride
  private final Linear textProjection;
  private final TimestepEmbedding time;
  private final LayerRow<CogVideoXBlock> blocks;
  private final LayerNorm finalNorm;
  private final Linear outputVectors; // shift, then scale
  private final LayerNorm outputNorm;
  private final Linear output;
  private final RowRuns runs;

  private CogVideoXTransformer(
      CogVideoXTransformerConfig config, Parameters parameters, Scope owner, Stay stay) {
    this.config = config;
    this.owner = owner;
    int width = config.width();
    this.patchEmbedding = patchEmbedding(config, parameters, owner);
    this.textProjection = Linear.of(parameters, "patch_embed.text_proj", config.textDim(), width);
    this.time = TimestepEmbedding.of(parameters, "time_embedding", width, config.timeDim());
    this.blocks =
        LayerRow.of(
            stay,
            config.layers(),
            parameters,
            (from, index) -> new CogVideoXBlock(from, "transformer_blocks." + index, config));
    this.finalNorm = LayerNorm.of(parameters, "norm_final", width, config.eps());
    this.outputVectors = Linear.of(parameters, "norm_out.linear", config.timeDim(), 2L * width);
    this.outputNorm = LayerNorm.of(parameters, "norm_out.norm", width, config.eps());
    this.output = Linear.of(parameters, "proj_out", width, config.patches().size());
    this.runs = RowRuns.of(output.weight().device(), config.inner());
    parameters.ignore(name -> name.equals("patch_embed.pos_embedding")); // made here
  }

  private static Linear patchEmbedding(
      CogVideoXTransformerConfig config, Parameters parameters, Scope owner) {
    String prefix = "patch_embed.proj";
    if (config.token() == Token.VOLUME) {
      return Linear.of(parameters, prefix, config.patches().size(), config.width());
    }
    Tensor weight =
        parameters.get(
            prefix + ".weight", config.width(), config.channels(), config.patch(), config.patch());
    return Linear.of(
        owner.adopt(weight.flatten(1, 3)), parameters.get(prefix + ".bias", config.width()));
  }

  /**
   * Loads the transformer of a checkpoint folder, {@code config.json} included.
   *
   * @param dtype FLOAT32, BFLOAT16 or FLOAT16
   * @throws dev.gossamer.tensor.failure.BadInputException if the folder holds another model or its
   *     weights do not fit
   */
  public static CogVideoXTransformer load(TensorFiles files, DType dtype, Device device) {
    return load(
        CogVideoXTransformerConfig.of(ModelConfig.read(files.origin().resolve("config.json"))),
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
  public static CogVideoXTransformer load(
      CogVideoXTransformerConfig config, TensorFiles files, DType dtype, Device device, Stay stay) {
    Scope owner = Scope.detached();
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.load(files, dtype, device, owner, name -> false);
      CogVideoXTransformer model = new CogVideoXTransformer(config, parameters, owner, stay);
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
  public static CogVideoXTransformer of(CogVideoXTransformerConfig config, Parameters parameters) {
    try (Scope scope = Scope.open()) {
      return new CogVideoXTransformer(config, parameters, Scope.detached(), Stay.RESIDENT);
    }
  }

  public CogVideoXTransformerConfig config() {
    return config;
  }

  /** The type that the model computes in. */
  public DType dtype() {
    return output.dtype();
  }

  /**
   * The tokens of latents of this size, those of the prompt in front.
   *
   * @throws UsageException if the latents do not divide into patches
   */
  public TokenGrid grid(long latentFrames, long latentHeight, long latentWidth) {
    return new TokenGrid(
        axis("frames", latentFrames, config.patchFrames()),
        axis("rows", latentHeight, config.patch()),
        axis("columns", latentWidth, config.patch()),
        config.textRows(),
        0);
  }

  private static int axis(String name, long latents, int patch) {
    if (latents < patch || latents % patch != 0) {
      throw new UsageException(
          "Cannot cut " + latents + " latent " + name + " into patches of " + patch,
          "Use a multiple of " + patch);
    }
    return Math.toIntExact(latents / patch);
  }

  /**
   * A prompt's rows in the model's width; they do not depend on the timestep.
   *
   * @param prompt text encoder's output {@code [1, textRows, textDim]}, rows of padding included
   * @return {@code [1, textRows, width]} on the device, in the current scope
   */
  public Tensor prepare(Tensor prompt) {
    if (!Arrays.equals(prompt.shape(), new long[] {1, config.textRows(), config.textDim()})) {
      throw new IllegalArgumentException("No prompt: " + Arrays.toString(prompt.shape()));
    }
    return textProjection.apply(prompt.to(output.weight().device()));
  }

  /**
   * One pass.
   *
   * @param latents {@code [1, frames, channels, height, width]}
   * @param timestep of the scheduler, 0 to 999
   * @param text from {@link #prepare}
   * @param session attentions of this video
   * @param branch guidance branch, for the session
   * @param step denoising step from 0, for the session
   * @return v, {@code [1, frames, channels, height, width]} in the model's type, in the current
   *     scope
   */
  public Tensor predict(
      Tensor latents,
      double timestep,
      Tensor text,
      AttentionSession session,
      int branch,
      int step) {
    try (Scope scope = Scope.open()) {
      TokenGrid grid = grid(latents.size(1), latents.size(3), latents.size(4));
      Device device = output.weight().device();
      Tensor x = embed(latents.to(device), text, grid);
      Tensor embedding = time.apply(timestep).silu();
      CogVideoXBlock.Part[] parts = {
        CogVideoXBlock.Part.text(grid.textBefore()),
        CogVideoXBlock.Part.video(grid.textBefore(), grid.videoTokens(), rotation(grid, device))
      };
      for (int i = 0; i < blocks.count(); i++) {
        Attention attention = session.attention(i, branch);
        blocks.run(i, block -> block.apply(x, embedding, parts, attention, step, runs));
      }
      Tensor video = x.narrow(1, grid.textBefore(), grid.videoTokens());
      Tensor joined = config.patches().join(project(video, embedding), grid, Patches.Channel.FIRST);
      return scope.keep(LatentLayout.FRAMES_FIRST.exchange(joined));
    }
  }

  private Optional<Tensor> rotation(TokenGrid grid, Device device) {
    return config.positions() == Positions.ROTARY
        ? Optional.of(config.rotation(device, grid.frames(), grid.height(), grid.width()))
        : Optional.empty();
  }

  /** Text and latents to tokens, {@code [1, tokens, width]} FLOAT32, with sines where they are. */
  Tensor embed(Tensor latents, Tensor text, TokenGrid grid) {
    Tensor patches = config.patches().cut(LatentLayout.FRAMES_FIRST.exchange(latents), grid);
    Tensor video = patchEmbedding.apply(patches).to(DType.FLOAT32);
    if (config.positions() == Positions.SINUSOIDAL) {
      video = video.add(config.sines(video.device(), grid.frames(), grid.height(), grid.width()));
    }
    return Tensor.cat(1, text.to(DType.FLOAT32), video);
  }

  /** The last normalisations and projection, {@code [1, tokens, patch]}. */
  private Tensor project(Tensor video, Tensor embedding) {
    Tensor vectors = outputVectors.apply(embedding).to(DType.FLOAT32);
    LayerNorm norm =
        outputNorm.modulated(
            vectors.narrow(1, 0, config.width()),
            vectors.narrow(1, config.width(), config.width()));
    Tensor result =
        Tensor.empty(dtype(), video.device(), 1, video.size(1), config.patches().size());
    runs.forEach(
        video.size(1),
        (start, rows) ->
            result
                .narrow(1, start, rows)
                .copyFrom(
                    output.apply(
                        norm.apply(finalNorm.apply(video.narrow(1, start, rows)), dtype()))));
    return result;
  }

  /** Frees the weights. */
  @Override
  public void close() {
    owner.close();
  }
}
