package dev.gossamer.video;

import dev.gossamer.tensor.Threads;
import java.util.List;

/**
 * One architecture of text-to-video models: wires a checkpoint's parts into a {@link VideoModel}.
 * Families are found by {@link java.util.ServiceLoader}: to add one, name it in {@code
 * META-INF/services/dev.gossamer.video.VideoFamily}.
 */
public interface VideoFamily {
  /** What a person calls it, for example {@code Wan 2.1 text-to-video}. */
  String name();

  /** The pipeline class in {@code model_index.json} that it wires, for example WanPipeline. */
  String pipeline();

  /**
   * Reads the configuration and the headers of the weights; loads nothing large yet.
   *
   * @param threads for the processor's share; the model uses but does not close them
   * @throws dev.gossamer.tensor.failure.BadInputException if parts are missing, broken or of a kind
   *     that this build does not know
   */
  VideoModel open(Checkpoint checkpoint, ModelOptions options, Threads threads);

  /**
   * Compares what the configuration asks for with what the files hold; loads nothing.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if a configuration cannot be read or is
   *     of a kind that this build does not know
   */
  List<ComponentInspection> inspect(Checkpoint checkpoint);
}
