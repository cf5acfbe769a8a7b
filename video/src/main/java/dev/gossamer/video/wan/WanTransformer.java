package dev.gossamer.video.wan;

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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Wan 2.1's diffusion transformer (diffusers' WanTransformer3DModel): from noisy latents, a
 * timestep and a prompt to the velocity that a scheduler steps along.
 *
 * <p>Its self-attention goes through {@link dev.gossamer.attention.Attention}. One model serves any
 * number of threads at once, each with its own scopes. It owns its weights until it is closed.
 */
public final class WanTransformer implements AutoCloseable {
  /** How the names of a block's weights begin. */
  static final Pattern BLOCK = Pattern.compile("blocks\\.\\d+\\.");

  private static final Set<String> KEPT_FLOAT32 =
      Set.of("rope", "time_embedder", "scale_shift_table", "norm1", "norm2", "norm3");

  private final WanTransformerConfig config;
  private final Scope owner;
  private final Linear patchEmbedding; // a convolution whose kernel is its stride
  private final WanConditioning conditioning;
  private final LayerRow<WanBlock> blocks;
  private final Tensor table; // [1, 2, width]
  private final Linear output;
  private final RowRuns runs;

  private WanTransformer(
      WanTransformerConfig config, Parameters parameters, Scope owner, Stay stay) {
    this.blocks =
        LayerRow.of(
            stay,
            config.layers(),
            parameters,
            (from, index) -> new WanBlock(from, "blocks." + index, config));
    this.config = config;
    this.owner = owner;
    int width = config.width();
    Tensor patchWeight =
        parameters.get(
            "patch_embedding.weight",
            width,
            config.inChannels(),
            config.patchFrames(),
            config.patchHeight(),
            config.patchWidth());
    this.patchEmbedding =
        Linear.of(
            owner.adopt(patchWeight.flatten(1, 4)), parameters.get("patch_embedding.bias", width));
    this.conditioning = WanConditioning.of(parameters, config);
    this.table = parameters.get("scale_shift_table", 1, 2, width);
    this.output = Linear.of(parameters, "proj_out", width, config.patchSize());
    this.runs = RowRuns.of(patchWeight.device(), config.inner());
    parameters.ignore(name -> name.contains("norm_added_q"));
  }

  /**
   * Loads the transformer of a checkpoint folder, {@code config.json} included.
   *
   * @param dtype FLOAT32, BFLOAT16 or FLOAT16; what the reference keeps in float32 stays so
   * @throws dev.gossamer.tensor.failure.BadInputException if the folder holds another model or its
   *     weights do not fit
   */
  public static WanTransformer load(TensorFiles files, DType dtype, Device device) {
    return load(
        WanTransformerConfig.of(ModelConfig.read(files.origin().resolve("config.json"))),
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
  public static WanTransformer load(
      WanTransformerConfig config, TensorFiles files, DType dtype, Device device, Stay stay) {
    Scope owner = Scope.detached();
    try (Scope scope = Scope.open()) {
      Parameters parameters =
          Parameters.load(files, dtype, device, owner, WanTransformer::keepsFloat32);
      WanTransformer model = new WanTransformer(config, parameters, owner, stay);
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
  public static WanTransformer of(WanTransformerConfig config, Parameters parameters) {
    try (Scope scope = Scope.open()) {
      return new WanTransformer(config, parameters, Scope.detached(), Stay.RESIDENT);
    }
  }

  /** Whether a weight stays in float32 in a model of a lower type. */
  static boolean keepsFloat32(String name) {
    return Arrays.stream(name.split("\\.")).anyMatch(KEPT_FLOAT32::contains);
  }

  public WanTransformerConfig config() {
    return config;
  }

  /** The type that the model computes in. */
  public DType dtype() {
    return output.dtype();
  }

  /**
   * The tokens of latents of this size.
   *
   * @throws UsageException if the latents do not divide into patches or an axis is too long
   */
  public TokenGrid grid(long latentFrames, long latentHeight, long latentWidth) {
    return TokenGrid.video(
        axis("frames", latentFrames, config.patchFrames()),
        axis("rows", latentHeight, config.patchHeight()),
        axis("columns", latentWidth, config.patchWidth()));
  }

  private int axis(String name, long latents, int patch) {
    if (latents < patch || latents % patch != 0 || latents / patch > config.longestAxis()) {
      throw new UsageException(
          "Cannot cut " + latents + " latent " + name + " into patches of " + patch,
          "Use a multiple of " + patch + ", at most " + (long) patch * config.longestAxis());
    }
    return (int) (latents / patch);
  }

  /**
   * Brings a prompt into the form that every step uses: its embedding and each layer's keys and
   * values do not depend on the timestep. The reference pads prompts with zero rows and attends to
   * all of them; they make equal keys and values, so here they are one key whose logit is raised by
   * log(number of rows), which is the same.
   *
   * @param prompt text encoder's output {@code [1, rows, textDim]}, rows from {@code validRows} on
   *     zero
   * @param validRows rows of the prompt itself; all rows to merge nothing
   * @return owns its tensors; close it after the video
   */
  public TextContext prepare(Tensor prompt, int validRows) {
    return prepare(prompt, validRows, Optional.empty());
  }

  /**
   * As {@link #prepare(Tensor, int)}, with an image for a transformer of image-to-video.
   *
   * @param picture image encoder's output {@code [1, rows, imageWidth]}
   */
  public TextContext prepare(Tensor prompt, int validRows, Optional<Tensor> picture) {
    if (picture.isPresent() != config.seesImage()) {
      throw new IllegalArgumentException(
          "A transformer of " + (config.seesImage() ? "image" : "text") + "-to-video");
    }
    long rows = prompt.size(1);
    if (prompt.dims() != 3
        || prompt.size(0) != 1
        || prompt.size(2) != config.textDim()
        || validRows < 0
        || validRows > rows) {
      throw new IllegalArgumentException(
          validRows + " rows of a prompt " + Arrays.toString(prompt.shape()));
    }
    try (Scope scope = Scope.open()) {
      long padding = rows - validRows;
      if (padding > 1 && prompt.narrow(1, validRows, padding).abs().amax().item() != 0) {
        throw new IllegalArgumentException("Padding rows of a prompt have to be zero");
      }
      int keys = (int) (padding > 1 ? validRows + 1 : rows);
      float[] bias = new float[keys];
      bias[keys - 1] = padding > 1 ? (float) Math.log(padding) : 0;
      Device device = output.weight().device();
      Tensor text = conditioning.text().apply(prompt.narrow(1, 0, keys).to(device));
      Tensor logits = Tensor.of(bias, keys).to(device);
      Optional<Tensor> image =
          picture.map(seen -> conditioning.image().orElseThrow().apply(seen.to(device)));
      List<TextAttention> layers = new ArrayList<>();
      for (int i = 0; i < blocks.count(); i++) {
        layers.add(
            blocks.with(
                i,
                block ->
                    image.isEmpty()
                        ? block.crossAttention().prepare(text, logits)
                        : block.crossAttention().prepare(text, logits, image.get())));
      }
      return new TextContext(layers, keys);
    }
  }

  /**
   * One pass.
   *
   * @param latents {@code [batch, inChannels, frames, height, width]}
   * @param timestep of the scheduler, 0 to 1000
   * @param session attentions of this video
   * @param branch guidance branch, for the session
   * @param step denoising step from 0, for the session
   * @return the velocity, {@code [batch, channels, frames, height, width]} in the model's type, in
   *     the current scope
   */
  public Tensor predict(
      Tensor latents,
      double timestep,
      TextContext text,
      AttentionSession session,
      int branch,
      int step) {
    try (Scope scope = Scope.open()) {
      TokenGrid grid = grid(latents.size(2), latents.size(3), latents.size(4));
      Device device = output.weight().device();
      Tensor x = embed(latents.to(device), grid).to(DType.FLOAT32);
      Tensor embedding = conditioning.embed(timestep);
      Tensor modulation = conditioning.modulate(embedding);
      Tensor rotation =
          config.rotaryEmbedding().table(device, grid.frames(), grid.height(), grid.width());
      for (int i = 0; i < blocks.count(); i++) {
        TextAttention prepared = text.layer(i);
        Attention attention = session.attention(i, branch);
        blocks.run(
            i, block -> block.apply(x, modulation, rotation, prepared, attention, step, runs));
      }
      return scope.keep(
          patches(config.outChannels()).join(project(x, embedding), grid, Patches.Channel.LAST));
    }
  }

  /** Latents to tokens, {@code [batch, tokens, width]}: a linear map of each patch. */
  Tensor embed(Tensor latents, TokenGrid grid) {
    return patchEmbedding.apply(patches(config.inChannels()).cut(latents, grid));
  }

  /** The last normalisation and projection, {@code [batch, tokens, patch]}. */
  Tensor project(Tensor x, Tensor embedding) {
    Tensor vectors = table.add(embedding.to(DType.FLOAT32).unsqueeze(1));
    LayerNorm norm = LayerNorm.modulated(vectors.select(1, 0), vectors.select(1, 1), config.eps());
    Tensor result = Tensor.empty(dtype(), x.device(), x.size(0), x.size(1), config.patchSize());
    runs.forEach(
        x.size(1),
        (start, rows) ->
            result
                .narrow(1, start, rows)
                .copyFrom(output.apply(norm.apply(x.narrow(1, start, rows), dtype()))));
    return result;
  }

  private Patches patches(int channels) {
    return new Patches(channels, config.patchFrames(), config.patchHeight(), config.patchWidth());
  }

  /** Frees the weights. */
  @Override
  public void close() {
    owner.close();
  }
}
