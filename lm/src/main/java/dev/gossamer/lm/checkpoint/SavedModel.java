package dev.gossamer.lm.checkpoint;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelDocument;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.huggingface.ImportedFolder;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.files.PartFolder;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * A model with its tokenizer, opened to be used and not to be trained.
 *
 * @param model closed with this
 * @param tokenizer closed with this
 * @param source where it came from
 */
public record SavedModel(LanguageModel model, TextTokenizer tokenizer, Path source)
    implements AutoCloseable {
  private static final String TYPE = "gossamer";
  private static final String CONFIG = "config.json";
  private static final String WEIGHTS = "model.safetensors";
  private static final String BIAS = "layers.%d.moe.router_bias";
  private static final String CHECKPOINTS = "checkpoints";

  /**
   * Opens the folder of a run (its last sound checkpoint), a checkpoint, an exported model, or one
   * in HuggingFace's layout.
   *
   * @param dtype in which it computes
   * @param tell is told of damaged checkpoints that were left out
   * @throws BadInputException if there is no model, or it is damaged
   */
  public static SavedModel open(Path folder, DType dtype, Threads threads, Consumer<String> tell) {
    return open(folder, dtype, RankGrid.flat(LocalRanks.alone()), threads, tell);
  }

  /**
   * Likewise on each of several ranks, which divide the experts among them.
   *
   * @param grid not closed with the model
   */
  public static SavedModel open(
      Path folder, DType dtype, RankGrid grid, Threads threads, Consumer<String> tell) {
    if (Files.isRegularFile(folder.resolve(Manifest.NAME))) {
      Checkpoint checkpoint = Checkpoint.open(folder);
      checkpoint.verify();
      return of(checkpoint, dtype, grid, threads);
    }
    Path checkpoints = folder.resolve(CHECKPOINTS);
    if (Files.isDirectory(checkpoints)) {
      return of(sound(checkpoints, tell), dtype, grid, threads);
    }
    if (Files.isRegularFile(folder.resolve(CONFIG))) {
      return exported(folder, dtype, grid, threads);
    }
    throw new BadInputException(
        "There is no model in " + folder,
        "Name the folder of a run, a checkpoint, or an exported model");
  }

  /**
   * The checkpoint that a folder is, or the last sound one of a run.
   *
   * @throws BadInputException if there is none
   */
  public static Checkpoint checkpoint(Path folder, Consumer<String> tell) {
    if (Files.isRegularFile(folder.resolve(Manifest.NAME))) {
      return Checkpoint.open(folder);
    }
    Path checkpoints = folder.resolve(CHECKPOINTS);
    if (!Files.isDirectory(checkpoints) && Files.isRegularFile(folder.resolve(WEIGHTS))) {
      throw new BadInputException(
          folder + " is a model and no checkpoint: nothing of training is in it",
          "Use it as it is, or name the folder of a run");
    }
    return sound(Files.isDirectory(checkpoints) ? checkpoints : folder, tell);
  }

  private static Checkpoint sound(Path checkpoints, Consumer<String> tell) {
    return CheckpointFolder.lastSound(checkpoints, tell)
        .orElseThrow(
            () ->
                new BadInputException(
                    "There is no sound checkpoint in " + checkpoints,
                    "Name the folder of a run, or a checkpoint"));
  }

  private static SavedModel of(Checkpoint checkpoint, DType dtype, RankGrid grid, Threads threads) {
    ModelSettings settings = settings(checkpoint);
    TextTokenizer tokenizer = TextTokenizer.open(checkpoint.tokenizer());
    LanguageModel model = new LanguageModel(settings, 0, dtype, grid, threads);
    try {
      checkpoint.loadWeights(model.parameters(), model.firstExpert());
      bias(model, checkpoint.manifest().routerBias());
      return new SavedModel(model, tokenizer, checkpoint.folder());
    } catch (RuntimeException | Error e) {
      model.close();
      tokenizer.close();
      throw e;
    }
  }

  private static ModelSettings settings(Checkpoint checkpoint) {
    ObjectNode model = (ObjectNode) checkpoint.manifest().settings().path("model");
    return ModelDocument.read(SettingsFile.of(checkpoint.folder() + " (model)", model));
  }

  private static void bias(LanguageModel model, List<double[]> bias) {
    List<MoeLayer> layers = model.expertLayers();
    for (int layer = 0; layer < layers.size(); layer++) {
      layers.get(layer).router().bias(bias.get(layer));
    }
  }

  private static SavedModel exported(Path folder, DType dtype, RankGrid grid, Threads threads) {
    SettingsFile config = SettingsFile.read(folder.resolve(CONFIG));
    if (!config.text("model_type", "").equals(TYPE)) {
      return imported(folder, dtype, grid, threads);
    }
    ModelSettings settings = ModelDocument.read(config.part("model"));
    SafetensorsFile weights = SafetensorsFile.open(folder.resolve(WEIGHTS));
    TextTokenizer tokenizer = TextTokenizer.open(folder);
    LanguageModel model = new LanguageModel(settings, 0, dtype, grid, threads);
    try {
      Map<String, SafetensorsFile> from = new TreeMap<>();
      weights.entries().keySet().forEach(name -> from.put(name, weights));
      List<Parameter> parameters = model.parameters();
      NamedTensors.load(
          from, folder, parameters, i -> parameters.get(i).value(), model.firstExpert(), "");
      List<MoeLayer> layers = model.expertLayers();
      try (Scope scope = Scope.open()) {
        for (int layer = 0; layer < layers.size(); layer++) {
          String name = String.format(BIAS, layer);
          if (from.containsKey(name)) {
            layers.get(layer).router().bias(weights.tensor(name).toDoubles());
          }
        }
      }
      return new SavedModel(model, tokenizer, folder);
    } catch (RuntimeException | Error e) {
      model.close();
      tokenizer.close();
      throw e;
    }
  }

  private static SavedModel imported(Path folder, DType dtype, RankGrid grid, Threads threads) {
    ImportedFolder from = ImportedFolder.open(folder);
    TextTokenizer tokenizer = TextTokenizer.open(folder);
    try {
      return new SavedModel(from.model(dtype, grid, threads), tokenizer, folder);
    } catch (RuntimeException | Error e) {
      tokenizer.close();
      throw e;
    }
  }

  /**
   * Writes a checkpoint's weights and tokenizer as a folder that {@link #open} reads and that holds
   * nothing of training.
   *
   * @param folder absent or empty
   * @param dtype in which the weights are stored
   */
  public static void export(Checkpoint checkpoint, Path folder, DType dtype) {
    checkpoint.verify();
    try (PartFolder part = PartFolder.of(folder);
        Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      checkpoint
          .tensors(Checkpoint.WEIGHTS)
          .forEach((name, file) -> tensors.put(name, file.tensor(name).to(dtype)));
      List<double[]> bias = checkpoint.manifest().routerBias();
      for (int layer = 0; layer < bias.size(); layer++) {
        tensors.put(String.format(BIAS, layer), Tensor.of(bias.get(layer), bias.get(layer).length));
      }
      SafetensorsWriter.write(part.path().resolve(WEIGHTS), tensors, Map.of("format", "pt"));
      ObjectNode config = new ObjectMapper().createObjectNode();
      config.put("model_type", TYPE);
      config.set("model", checkpoint.manifest().settings().path("model"));
      PartFile.write(
          part.path().resolve(CONFIG), config.toPrettyString().getBytes(StandardCharsets.UTF_8));
      Files.copy(checkpoint.tokenizer(), part.path().resolve(Checkpoint.TOKENIZER));
      part.commit();
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write " + folder + ": " + PartFile.reason(e), "Name another folder", e);
    }
  }

  @Override
  public void close() {
    model.close();
    tokenizer.close();
  }
}
