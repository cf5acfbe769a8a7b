package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.ArrayList;
import java.util.List;

/**
 * CLIP's vision encoder up to its last layer but one: what Wan's image-to-video transformer attends
 * to of a picture.
 *
 * <p>Patches by a convolution without bias, a row for the whole picture before them, learned
 * positions, a layer norm, {@link ClipLayer}s without a mask. The last layer, the norm behind it
 * and the projection are in the files, but not loaded.
 *
 * <p>Source: transformers' {@code CLIPVisionModel}, {@code hidden_states[-2]}.
 */
public final class ClipVisionEncoder implements AutoCloseable {
  private final ClipVisionConfig config;
  private final Scope weights;
  private final Tensor patches; // [width, 3 patch patch]
  private final Tensor whole; // [width]
  private final Tensor positions; // [rows, width]
  private final LayerNorm firstNorm;
  private final List<ClipLayer> layers = new ArrayList<>();

  /**
   * Asks for the weights of the encoder; the caller then calls {@link Parameters#check}.
   *
   * @param weights the scope that the parameters are loaded into; this encoder closes it
   */
  public ClipVisionEncoder(ClipVisionConfig config, Parameters parameters, Scope weights) {
    this.config = config;
    this.weights = weights;
    int width = config.width();
    int patch = config.patch();
    EncoderHeads heads = new EncoderHeads(config.heads(), width / config.heads());
    String table = "embeddings.patch_embedding.weight";
    String prefix = parameters.has(table) ? "" : "vision_model.";
    patches = parameters.derive(w -> w.flatten(1, 3), prefix + table, width, 3, patch, patch);
    whole = parameters.get(prefix + "embeddings.class_embedding", width);
    positions =
        parameters.get(prefix + "embeddings.position_embedding.weight", config.rows(), width);
    firstNorm = LayerNorm.of(parameters, prefix + "pre_layrnorm", width, config.epsilon());
    for (int i = 0; i < config.layers() - 1; i++) {
      layers.add(
          ClipLayer.of(
              parameters,
              prefix + "encoder.layers." + i + ".",
              heads,
              config.hidden(),
              config.activation(),
              config.epsilon()));
    }
    String last = prefix + "encoder.layers." + (config.layers() - 1) + ".";
    parameters.ignore(
        name ->
            name.startsWith(last)
                || name.startsWith(prefix + "post_layernorm.")
                || name.startsWith("visual_projection.")
                || name.endsWith("position_ids"));
  }

  /**
   * Loads an encoder of this shape.
   *
   * @param files under transformers' names
   * @throws dev.gossamer.tensor.failure.BadInputException if the weights are damaged or do not fit
   */
  public static ClipVisionEncoder open(
      ClipVisionConfig config, TensorFiles files, DType dtype, Device device) {
    Scope weights = Scope.detached();
    try {
      Parameters parameters = Parameters.load(files, dtype, device, weights, name -> false);
      ClipVisionEncoder encoder = new ClipVisionEncoder(config, parameters, weights);
      parameters.check();
      return encoder;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  public ClipVisionConfig config() {
    return config;
  }

  /**
   * @param picture {@code [1, 3, pixels, pixels]} FLOAT32, normalised
   * @return {@code [1, rows, width]} in the weights' type, in the caller's scope
   */
  public Tensor encode(Tensor picture) {
    int side = config.pixels() / config.patch();
    int patch = config.patch();
    try (Scope scope = Scope.open()) {
      Tensor cut =
          picture
              .to(whole.dtype())
              .to(whole.device())
              .reshape(3, side, patch, side, patch)
              .permute(1, 3, 0, 2, 4)
              .reshape(1, (long) side * side, 3L * patch * patch);
      Tensor rows = cut.linear(patches, null);
      Tensor x =
          Tensor.cat(1, whole.reshape(1, 1, config.width()), rows).add(positions.unsqueeze(0));
      x = firstNorm.apply(x).to(whole.dtype());
      for (ClipLayer layer : layers) {
        Tensor next = layer.apply(x, null);
        x.close();
        x = next;
      }
      return scope.keep(x);
    }
  }

  /** Frees the weights. */
  @Override
  public void close() {
    weights.close();
  }
}
