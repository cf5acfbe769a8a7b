package dev.gossamer.video;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a family reads weights that do not come in diffusers' folder: single files under original
 * names, without a configuration. What a file is, is told by the names and shapes that it holds.
 */
public interface LooseFiles {
  /**
   * Finds out whether a file holds one of the family's parts.
   *
   * @param files as they are stored, with any prefix
   * @param beside the {@code config.json} in the same folder, if there is one; it may be of
   *     something else
   * @return all parts that are in there; mostly one
   * @throws dev.gossamer.tensor.failure.BadInputException if it is one, but its sizes cannot be
   *     told
   */
  List<Part> recognise(TensorFiles files, Optional<ModelConfig> beside);

  /** What its makers call a transformer's tensors, by diffusers' names. */
  Map<String, StoredAs> originalNames(TensorFiles transformer);

  /** Components that a pipeline cannot do without, tokenizers included. */
  List<String> needed(String pipeline);

  /**
   * What no tensor of a component tells, as in the released model of a transformer: configurations
   * of components without weights, and what those of others lack.
   */
  Map<String, ObjectNode> settings(Part transformer);

  /**
   * A part of a model in loose files.
   *
   * @param component for example {@code transformer}
   * @param config what its {@code config.json} would say, {@code _class_name} included
   * @param files its tensors under diffusers' names
   * @param pipeline of a transformer: the pipeline that it belongs to; empty for other parts
   */
  record Part(String component, ModelConfig config, TensorFiles files, Optional<String> pipeline) {
    /** A part that is no transformer. */
    public Part(String component, ModelConfig config, TensorFiles files) {
      this(component, config, files, Optional.empty());
    }
  }
}
