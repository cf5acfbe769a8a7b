package dev.gossamer.lm.checkpoint;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

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
      file.requireSize(folder);
      if (file.name().endsWith(".safetensors")) {
        requireStep(file);
      }
      file.requireContent(folder);
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
    int first = state.firstExpert();
    NamedTensors.load(optimizer, folder, state.weights(), state.means()::get, first, MEAN);
    NamedTensors.load(optimizer, folder, state.weights(), state.squares()::get, first, SQUARE);
  }

  /**
   * Loads weights alone.
   *
   * @param firstExpert number of this rank's first expert
   */
  void loadWeights(List<Parameter> weights, int firstExpert) {
    NamedTensors.load(
        tensors(WEIGHTS), folder, weights, i -> weights.get(i).value(), firstExpert, "");
  }
}
