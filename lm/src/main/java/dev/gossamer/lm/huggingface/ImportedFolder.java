package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A folder in HuggingFace's layout: {@code config.json}, safetensors in one file or shards, one
 * tensor per expert as released.
 *
 * @param config of the model
 * @param family that it is of
 * @param settings that it describes
 */
public record ImportedFolder(ModelConfig config, ModelFamily family, ModelSettings settings) {
  /**
   * @throws BadInputException if the model is of a kind that is not known
   */
  public static ImportedFolder open(Path folder) {
    ModelConfig config = ModelConfig.read(folder.resolve("config.json"));
    ModelFamily family = ModelFamily.of(config);
    return new ImportedFolder(config, family, family.settings(config));
  }

  /**
   * Makes the model with its weights.
   *
   * @throws BadInputException if tensors are missing, misshapen or left over
   */
  public LanguageModel model(DType dtype, Threads threads) {
    TensorFiles files = TensorFiles.in(config.path().toAbsolutePath().getParent());
    LanguageModel model = new LanguageModel(settings, 0, dtype, threads);
    try (Scope scope = Scope.open()) {
      Set<String> unread = new TreeSet<>(files.entries().keySet());
      for (Parameter parameter : model.parameters()) {
        if (!parameter.ofExperts()) {
          copy(files, unread, parameter.name(), parameter.value());
          continue;
        }
        for (int expert = 0; expert < parameter.value().size(0); expert++) {
          String name = parameter.name().replace(".*.", "." + expert + ".");
          copy(files, unread, name, parameter.value().select(0, expert));
        }
      }
      biases(files, unread, model);
      requireAllRead(unread);
      return model;
    } catch (RuntimeException | Error e) {
      model.close();
      throw e;
    }
  }

  private void copy(TensorFiles files, Set<String> unread, String ours, Tensor to) {
    String name = family.nameOf(ours);
    try (Scope scope = Scope.open()) {
      Tensor stored = files.tensor(name);
      boolean stackOfOne =
          to.dims() == stored.dims() + 1
              && to.size(0) == 1
              && Arrays.equals(Arrays.copyOfRange(to.shape(), 1, to.dims()), stored.shape());
      if (!stackOfOne && !Arrays.equals(stored.shape(), to.shape())) {
        throw new BadInputException(
            String.format(
                "'%s' in %s is %s, and config.json asks for %s",
                name, files.origin(), Arrays.toString(stored.shape()), Arrays.toString(to.shape())),
            "Is the config from another model?");
      }
      to.copyFrom(stored.reshape(to.shape()));
      unread.remove(name);
    }
  }

  private void biases(TensorFiles files, Set<String> unread, LanguageModel model) {
    if (family != ModelFamily.NEMOTRON_H) {
      return;
    }
    List<MoeLayer> layers = model.expertLayers();
    for (int layer = 0; layer < layers.size(); layer++) {
      String name = family.nameOf("layers." + layer + ".moe.router_bias");
      layers.get(layer).router().bias(files.tensor(name).toDoubles());
      unread.remove(name);
    }
  }

  private void requireAllRead(Set<String> unread) {
    if (settings.tied()) {
      unread.remove(family.nameOf("head"));
    }
    if (!unread.isEmpty()) {
      throw new BadInputException(
          "The weights beside "
              + config.path()
              + " have tensors that its model has not: "
              + String.join(", ", unread.stream().limit(5).toList())
              + (unread.size() > 5 ? " and " + (unread.size() - 5) + " more" : ""),
          "Is the config from another model?");
    }
  }
}
