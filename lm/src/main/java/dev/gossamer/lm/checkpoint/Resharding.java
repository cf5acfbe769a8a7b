package dev.gossamer.lm.checkpoint;

import dev.gossamer.moe.parallel.ExpertPlacement;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.files.PartFolder;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The same checkpoint with its experts in another number of files, one for each rank that will read
 * it. Ranks can read any; fewer bytes of files that are shared over a network is all that is won.
 */
public final class Resharding {
  private static final Pattern EXPERT = Pattern.compile("\\.experts\\.(\\d+)\\.");

  private Resharding() {}

  /**
   * @param folder absent or empty
   * @param files of experts
   * @throws UsageException if there are fewer experts
   */
  public static void write(Checkpoint checkpoint, Path folder, int files) {
    checkpoint.verify();
    int experts =
        checkpoint.tensors(Checkpoint.WEIGHTS).keySet().stream()
            .mapToInt(name -> expertOf(name) + 1)
            .max()
            .orElse(0);
    if (files < 1 || files > experts) {
      throw new UsageException(
          "Cannot divide " + experts + " experts into " + files + " files",
          "Use 1 to as many as there are experts");
    }
    long step = checkpoint.manifest().step();
    ExpertPlacement placement = ExpertPlacement.even(experts, files);
    List<StoredFile> written = new ArrayList<>();
    try (PartFolder part = PartFolder.of(folder)) {
      for (String kind : List.of(Checkpoint.WEIGHTS, Checkpoint.OPTIMIZER)) {
        written.add(some(checkpoint, part.path(), step, kind, kind + "-dense", -1, 0));
        for (int file = 0; file < files; file++) {
          int from = placement.first(file);
          int to = placement.first(file + 1);
          String name = String.format("%s-experts-%05d-%05d", kind, from, to - 1);
          written.add(some(checkpoint, part.path(), step, kind, name, from, to));
        }
      }
      Path tokenizer = part.path().resolve(Checkpoint.TOKENIZER);
      Files.copy(checkpoint.tokenizer(), tokenizer);
      written.add(StoredFile.of(tokenizer));
      checkpoint.manifest().withFiles(written).write(part.path());
      part.commit();
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write " + folder + ": " + PartFile.reason(e), "Name another folder", e);
    }
  }

  /** Number of the expert whose tensor has this name, -1 for all others. */
  private static int expertOf(String name) {
    Matcher matcher = EXPERT.matcher(name);
    return matcher.find() ? Integer.parseInt(matcher.group(1)) : -1;
  }

  private static StoredFile some(
      Checkpoint checkpoint, Path to, long step, String kind, String name, int from, int end) {
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (Map.Entry<String, SafetensorsFile> entry : checkpoint.tensors(kind).entrySet()) {
        int expert = expertOf(entry.getKey());
        if (from < 0 ? expert < 0 : expert >= from && expert < end) {
          tensors.put(entry.getKey(), entry.getValue().tensor(entry.getKey()));
        }
      }
      return CheckpointFolder.file(to, step, name, tensors);
    }
  }
}
