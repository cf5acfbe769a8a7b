package dev.gossamer.bench.shapes;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.files.PartFolder;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.SafetensorsWriter.Outline;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoFamily;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A folder that looks like a released checkpoint and holds random weights: for measuring time and
 * memory at full size where the real weights are not at hand.
 *
 * <p>Matrices and kernels are normal with a variance of one over their inputs, so that numbers stay
 * finite through any depth; gains are 1, other vectors 0.
 *
 * @param shape of the model
 * @param dtype type of all weights
 * @param seed of the weights; a tensor's numbers depend on its name as well
 */
public record RandomCheckpoint(ReleasedShape shape, DType dtype, long seed) {
  private static final long PIECE = 1 << 24;

  /**
   * Writes it, one tensor in memory at a time.
   *
   * @param folder absent or empty
   * @return bytes of the weights
   * @throws EnvironmentException if it cannot be written; nothing is left behind then
   */
  public long write(Path folder, BenchProgress progress) {
    try (PartFolder part = PartFolder.of(folder)) {
      shape.writeTo(part.path());
      long bytes = fill(Checkpoint.open(part.path()), progress);
      part.commit();
      return bytes;
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write " + folder + ": " + PartFile.reason(e),
          "Check that the folder's parent is writable and has room",
          e);
    }
  }

  /** Gives weights to a folder that has all but them. */
  long fill(Checkpoint checkpoint, BenchProgress progress) {
    long bytes = 0;
    for (VideoFamily.Component component : TextToVideo.family(checkpoint).components(checkpoint)) {
      Map<String, Outline> outlines = outlines(component);
      progress.note(component.name() + ": " + outlines.size() + " tensors");
      bytes += outlines.values().stream().mapToLong(Outline::bytes).sum();
      String stem =
          component.name().startsWith("text_encoder") ? "model" : "diffusion_pytorch_model";
      SafetensorsWriter.write(
          checkpoint.component(component.name()).resolve(stem + ".safetensors"),
          outlines,
          name -> {
            progress.check();
            return tensor(component.name() + "." + name, outlines.get(name).shape());
          },
          Map.of("format", "pt"));
    }
    return bytes;
  }

  Map<String, Outline> outlines(VideoFamily.Component component) {
    Map<String, Outline> outlines = new LinkedHashMap<>();
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached()) {
      Parameters parameters = Parameters.outline(owner);
      component.model().accept(parameters);
      parameters.asked().forEach((name, shape) -> outlines.put(name, new Outline(dtype, shape)));
    }
    return outlines;
  }

  private Tensor tensor(String name, List<Long> sizes) {
    long[] shape = sizes.stream().mapToLong(Long::longValue).toArray();
    long count = sizes.stream().reduce(1L, Math::multiplyExact);
    long first = sizes.isEmpty() ? 1 : sizes.get(0);
    long inputs = Math.max(1, count / Math.max(1, first));
    if (inputs == 1) {
      boolean gain = name.endsWith("weight") || name.endsWith("gamma");
      return Tensor.full(gain ? 1 : 0, dtype, shape);
    }
    Tensor all = Tensor.empty(dtype, count);
    try (Generator generator = Generator.named(name, seed)) {
      for (long from = 0; from < count; from += PIECE) {
        try (Scope scope = Scope.open()) {
          long some = Math.min(PIECE, count - from);
          all.narrow(0, from, some)
              .copyFrom(generator.normal(some).mulInPlace(1 / Math.sqrt(inputs)));
        }
      }
    }
    return all.reshape(shape);
  }
}
