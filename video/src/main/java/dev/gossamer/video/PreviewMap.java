package dev.gossamer.video;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A linear map from a latent pixel's channels to the mean colour of the pixels that it decodes to:
 * {@code rgb = latents weight^T + bias}. Nearly free, and enough to see what a video will be.
 *
 * <p>Fitted by least squares from latents and their decoded frames; a checkpoint may carry it as
 * {@code preview.safetensors} (tensors {@code weight} [3, channels] and {@code bias} [3], float32)
 * beside its {@code model_index.json}.
 *
 * @param weight {@code [3][channels]}
 * @param bias {@code [3]}
 */
record PreviewMap(double[][] weight, double[] bias) {
  private static final String FILE = "preview.safetensors";

  /** Added to the diagonal of the normal equations, so that constant latents can be fitted too. */
  private static final double RIDGE = 1e-6;

  /**
   * The map that comes with a checkpoint; empty if there is none.
   *
   * @throws BadInputException if there is one that does not fit the latents
   */
  static Optional<PreviewMap> in(Path folder, long channels) {
    Path path = folder.resolve(FILE);
    if (!Files.isRegularFile(path)) {
      return Optional.empty();
    }
    try (Scope scope = Scope.open()) {
      SafetensorsFile file = SafetensorsFile.open(path);
      Tensor weight = file.tensor("weight");
      Tensor bias = file.tensor("bias");
      if (weight.dims() != 2
          || weight.size(0) != 3
          || weight.size(1) != channels
          || bias.count() != 3) {
        throw new BadInputException(
            "Cannot use " + path + ": its weight is not [3, " + channels + "] with a bias of 3",
            "Delete it; the map is then fitted anew");
      }
      double[] values = weight.toDoubles();
      double[][] rows = new double[3][(int) channels];
      for (int c = 0; c < 3; c++) {
        System.arraycopy(values, c * (int) channels, rows[c], 0, (int) channels);
      }
      return Optional.of(new PreviewMap(rows, bias.toDoubles()));
    }
  }

  /** Puts the map beside a checkpoint's {@code model_index.json}. */
  void write(Path folder) {
    try (Scope scope = Scope.open()) {
      int channels = weight[0].length;
      float[] values = new float[3 * channels];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) weight[i / channels][i % channels];
      }
      float[] offsets = {(float) bias[0], (float) bias[1], (float) bias[2]};
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("weight", Tensor.of(values, 3, channels));
      tensors.put("bias", Tensor.of(offsets, 3));
      SafetensorsWriter.write(folder.resolve(FILE), tensors, Map.of());
    }
  }

  /**
   * The colours of latents.
   *
   * @param latents {@code [1, channels, frames, height, width]}
   * @return {@code [frames, 3, height, width]} float32 in 0..1, on the processor, in the current
   *     scope
   */
  Tensor apply(Tensor latents) {
    try (Scope scope = Scope.open()) {
      int channels = weight[0].length;
      float[] values = new float[3 * channels];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) weight[i / channels][i % channels];
      }
      float[] offsets = {(float) bias[0], (float) bias[1], (float) bias[2]};
      Tensor pixels =
          latents.to(Device.CPU).to(DType.FLOAT32).select(0, 0).permute(1, 2, 3, 0).contiguous();
      Tensor colours =
          pixels.linear(Tensor.of(values, 3, channels), Tensor.of(offsets, 3)).clamp(0, 1);
      return scope.keep(colours.permute(0, 3, 1, 2).contiguous());
    }
  }

  /** Gathers pairs of latents and frames and solves for the map: ridge regression in float64. */
  static final class Fit {
    private final int unknowns;
    private final double[][] normal;
    private final double[][] right;

    /**
     * @param channels of the latents
     */
    Fit(int channels) {
      unknowns = channels + 1;
      normal = new double[unknowns][unknowns];
      right = new double[3][unknowns];
    }

    /**
     * Takes one video, or the first part of one.
     *
     * @param latents {@code [1, channels, latentFrames, height, width]}
     * @param frames {@code [frames, 3, height * p, width * p]} in 0..1: what the first latent
     *     frames decode to; the first to one frame, each further to as many as {@code geometry}
     *     says
     */
    Fit add(Tensor latents, Tensor frames, VideoGeometry geometry) {
      try (Scope scope = Scope.open()) {
        long high = latents.size(3);
        long wide = latents.size(4);
        int covered = geometry.latentFrames((int) frames.size(0));
        for (int frame = 0; frame < covered; frame++) {
          long first = frame == 0 ? 0 : geometry.frames(frame);
          long count = frame == 0 ? 1 : geometry.frameStride();
          long stride = geometry.pixelStride();
          Tensor colours =
              frames
                  .narrow(0, first, count)
                  .reshape(count, 3, high, stride, wide, stride)
                  .mean(false, 0, 3, 5)
                  .reshape(3, high * wide);
          Tensor pixels =
              latents.select(0, 0).select(1, frame).reshape(latents.size(1), high * wide);
          Tensor ones = Tensor.full(1, DType.FLOAT64, 1, high * wide);
          Tensor rows = Tensor.cat(0, pixels.to(Device.CPU).to(DType.FLOAT64).contiguous(), ones);
          accumulate(normal, rows.matmul(rows.transpose(0, 1)));
          accumulate(right, colours.to(DType.FLOAT64).matmul(rows.transpose(0, 1)));
        }
      }
      return this;
    }

    private static void accumulate(double[][] into, Tensor matrix) {
      double[] values = matrix.toDoubles();
      int columns = into[0].length;
      for (int i = 0; i < values.length; i++) {
        into[i / columns][i % columns] += values[i];
      }
    }

    /** The best map for all that was added. */
    PreviewMap solve() {
      double[][] weight = new double[3][];
      double[] bias = new double[3];
      for (int c = 0; c < 3; c++) {
        double[] solution = solve(right[c].clone());
        weight[c] = java.util.Arrays.copyOf(solution, unknowns - 1);
        bias[c] = solution[unknowns - 1];
      }
      return new PreviewMap(weight, bias);
    }

    /** Cholesky: the matrix is symmetric and, with the ridge, positive definite. */
    private double[] solve(double[] b) {
      int n = unknowns;
      double[][] lower = new double[n][n];
      double ridge = RIDGE * Math.max(1, normal[n - 1][n - 1]); // that entry counts the pixels
      for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
          double sum = normal[i][j] + (i == j && i < n - 1 ? ridge : 0);
          for (int k = 0; k < j; k++) {
            sum -= lower[i][k] * lower[j][k];
          }
          lower[i][j] = i == j ? Math.sqrt(sum) : sum / lower[j][j];
        }
      }
      for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++) {
          b[i] -= lower[i][k] * b[k];
        }
        b[i] /= lower[i][i];
      }
      for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++) {
          b[i] -= lower[k][i] * b[k];
        }
        b[i] /= lower[i][i];
      }
      return b;
    }
  }
}
