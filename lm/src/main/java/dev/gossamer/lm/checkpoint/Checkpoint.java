package dev.gossamer.lm.checkpoint;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;

/**
 * A saved state of training. Tensors are found by their global names, in whichever file they are,
 * so that any number of ranks can load what any other number saved.
 */
public final class Checkpoint {
  static final String WEIGHTS = "weights";
  static final String OPTIMIZER = "optimizer";
  static final String MEAN = "mean.";
  static final String SQUARE = "square.";
  static final String STEP = "step";
  static final String TOKENIZER = "tokenizer.json";

  private final Path folder;
  private final Manifest manifest;

  private Checkpoint(Path folder, Manifest manifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  /**
   * Reads what it says of itself, nothing else.
   *
   * @throws BadInputException if it has no sound manifest
   */
  public static Checkpoint open(Path folder) {
    return new Checkpoint(folder, Manifest.read(folder));
  }

  public Path folder() {
    return folder;
  }

  public Manifest manifest() {
    return manifest;
  }

  /** The tokenizer that stands in it. */
  public Path tokenizer() {
    return folder.resolve(TOKENIZER);
  }

  /**
   * Compares every file with what the manifest says of it.
   *
   * @throws BadInputException that names the first that is missing, damaged or of another step
   */
  public void verify() {
    for (StoredFile file : manifest.files()) {
      if (file.name().endsWith(".safetensors")) {
        requireStep(file);
      }
      file.check(folder);
    }
  }

  private void requireStep(StoredFile file) {
    Path path = folder.resolve(file.name());
    String step = SafetensorsFile.open(path).metadata().get(STEP);
    if (!String.valueOf(manifest.step()).equals(step)) {
      throw new BadInputException(
          path + " is of step " + step + " and the checkpoint of step " + manifest.step(),
          "Use another checkpoint");
    }
  }

  /** All tensors of its files of a kind. */
  Map<String, SafetensorsFile> tensors(String kind) {
    Map<String, SafetensorsFile> all = new TreeMap<>();
    for (StoredFile file : manifest.files()) {
      if (file.name().startsWith(kind + "-")) {
        SafetensorsFile tensors = SafetensorsFile.open(folder.resolve(file.name()));
        tensors.entries().keySet().forEach(name -> all.put(name, tensors));
      }
    }
    return all;
  }

  /**
   * Loads a rank's weights and what its optimiser knows.
   *
   * @throws BadInputException if a tensor is missing or of another shape
   */
  public void load(TrainingState state) {
    loadWeights(state.weights(), state.firstExpert());
    Map<String, SafetensorsFile> optimizer = tensors(OPTIMIZER);
    load(optimizer, state.weights(), state.means()::get, state.firstExpert(), MEAN);
    load(optimizer, state.weights(), state.squares()::get, state.firstExpert(), SQUARE);
  }

  /**
   * Loads weights alone.
   *
   * @param firstExpert number of this rank's first expert
   */
  public void loadWeights(List<Parameter> weights, int firstExpert) {
    load(tensors(WEIGHTS), weights, i -> weights.get(i).value(), firstExpert, "");
  }

  private void load(
      Map<String, SafetensorsFile> from,
      List<Parameter> parameters,
      IntFunction<Tensor> to,
      int firstExpert,
      String prefix) {
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> wanted = NamedTensors.shared(parameters, to, prefix);
      wanted.putAll(NamedTensors.experts(parameters, to, firstExpert, prefix));
      wanted.forEach((name, tensor) -> copy(from, name, tensor));
    }
  }

  private void copy(Map<String, SafetensorsFile> from, String name, Tensor to) {
    SafetensorsFile file = from.get(name);
    if (file == null) {
      throw new BadInputException(
          folder + " has no tensor '" + name + "'", "Is it a checkpoint of this model?");
    }
    try (Scope scope = Scope.open()) {
      Tensor stored = file.tensor(name);
      if (!Arrays.equals(stored.shape(), to.shape())) {
        throw new BadInputException(
            String.format(
                "'%s' in %s is %s, and the model's is %s",
                name, file.path(), Arrays.toString(stored.shape()), Arrays.toString(to.shape())),
            "Is it a checkpoint of this model?");
      }
      to.copyFrom(stored);
    }
  }
}
