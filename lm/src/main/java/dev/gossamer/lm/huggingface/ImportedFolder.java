package dev.gossamer.lm.huggingface;

import dev.gossamer.distributed.RankGrid;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.Router;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * A folder in HuggingFace's layout: {@code config.json}, safetensors in one file or shards, one
 * tensor per expert as released or one for all experts of a layer.
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
    return new ImportedFolder(config, family, fitting(config, () -> family.settings(config)));
  }

  /** What is refused as a setting is a fault of the configuration here. */
  private static <T> T fitting(ModelConfig config, Supplier<T> made) {
    try {
      return made.get();
    } catch (UsageException e) {
      throw new BadInputException("Cannot use " + config.path() + ": " + e.getMessage(), "", e);
    }
  }

  /**
   * Makes the model with its weights.
   *
   * @param grid ranks that divide its experts among them; not closed with the model
   * @throws BadInputException if tensors are missing, misshapen or left over
   */
  public LanguageModel model(DType dtype, RankGrid grid, Threads threads) {
    LanguageModel model =
        fitting(config, () -> new LanguageModel(settings, 0, dtype, grid, threads));
    try {
      TensorFiles stored = TensorFiles.in(config.path().toAbsolutePath().getParent());
      new Loading(ExpertStacks.apart(stored, family, settings)).into(model);
      return model;
    } catch (RuntimeException | Error e) {
      model.close();
      throw e;
    }
  }

  /**
   * @throws BadInputException if a stored tensor is not of the shape that the configuration asks
   *     for
   */
  static void requireShape(TensorFiles files, String name, long[] found, long[] wanted) {
    if (!Arrays.equals(found, wanted)) {
      throw new BadInputException(
          String.format(
              "'%s' in %s is %s, and config.json asks for %s",
              name, files.origin(), Arrays.toString(found), Arrays.toString(wanted)),
          "Is the config from another model?");
    }
  }

  /** One reading of all weights, which knows what has not been read. */
  private final class Loading {
    private final TensorFiles files;
    private final Set<String> unread;
    private final Map<String, UnaryOperator<Tensor>> changes = family.changes(config);

    Loading(TensorFiles files) {
      this.files = files;
      this.unread = new TreeSet<>(files.entries().keySet());
    }

    void into(LanguageModel model) {
      try (Scope scope = Scope.open()) {
        for (Parameter parameter : model.parameters()) {
          if (parameter.ofExperts()) {
            experts(parameter, model.firstExpert());
          } else {
            copy(parameter.name(), parameter.value());
          }
        }
        biases(model);
      }
      requireAllRead();
    }

    /** Those of this rank; the others are read elsewhere. */
    private void experts(Parameter parameter, int first) {
      int all = settings.experts().orElseThrow().structure().experts();
      for (int expert = 0; expert < all; expert++) {
        String name = parameter.name().replace(".*.", "." + expert + ".");
        int own = expert - first;
        if (own >= 0 && own < parameter.value().size(0)) {
          copy(name, parameter.value().select(0, own));
        }
        unread.remove(family.nameOf(name));
      }
    }

    private void copy(String ours, Tensor to) {
      String name = family.nameOf(ours);
      try (Scope scope = Scope.open()) {
        Tensor stored = files.tensor(name);
        boolean stackOfOne = to.dims() == stored.dims() + 1 && to.size(0) == 1;
        Tensor into = stackOfOne ? to.select(0, 0) : to;
        requireShape(files, name, stored.shape(), into.shape());
        into.copyFrom(changes.getOrDefault(ours, UnaryOperator.identity()).apply(stored));
        unread.remove(name);
      }
    }

    private void biases(LanguageModel model) {
      Iterator<MoeLayer> layers = model.expertLayers().iterator();
      for (int layer = 0; layer < settings.layers(); layer++) {
        if (!settings.hasExperts(layer)) {
          continue;
        }
        Router router = layers.next().router();
        if (router.settings().scores() == Scores.SIGMOID) {
          String name = family.nameOf("layers." + layer + ".moe.router_bias");
          double[] bias = files.tensor(name).toDoubles();
          requireShape(files, name, new long[] {bias.length}, new long[] {router.bias().length});
          router.bias(bias);
          unread.remove(name);
        }
      }
    }

    private void requireAllRead() {
      unread.removeIf(name -> family.beside(config, name));
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
}
