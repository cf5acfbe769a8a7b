package dev.gossamer.video;

import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.Parameters;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

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

  /** Whether it wires checkpoints of this pipeline class. */
  default boolean runs(String pipelineClass) {
    return pipeline().equals(pipelineClass);
  }

  /** How it reads single files under original names; empty if it reads diffusers' layout only. */
  default Optional<LooseFiles> looseFiles() {
    return Optional.empty();
  }

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
  default List<ComponentInspection> inspect(Checkpoint checkpoint) {
    return components(checkpoint).stream()
        .map(part -> ComponentInspection.of(checkpoint, part.name(), part.model()))
        .toList();
  }

  /**
   * The components that hold weights.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if a configuration cannot be read or is
   *     of a kind that this build does not know
   */
  List<Component> components(Checkpoint checkpoint);

  /**
   * A component that holds weights.
   *
   * @param name of its folder, for example {@code transformer}
   * @param model builds it over parameters that read nothing, to see what it asks for
   */
  record Component(String name, Consumer<Parameters> model) {}
}
