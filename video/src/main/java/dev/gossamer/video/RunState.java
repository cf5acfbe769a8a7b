package dev.gossamer.video;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run between two denoising steps: enough to go on with it in another process, bit for bit. Kept
 * as a safetensors file; the tensors are {@code latents}, {@code scheduler.*}, {@code attention.*}
 * and the latents of earlier steps ({@code step_000} ..) where they are wanted.
 *
 * @param identity what decides the run
 * @param done steps done
 * @param steps steps in all
 * @param stepSeconds of each step that is done
 * @param attention what the attentions did so far
 * @param tensors by name; whoever made the state owns them
 */
record RunState(
    RunIdentity identity,
    int done,
    int steps,
    List<Double> stepSeconds,
    AttentionReport attention,
    Map<String, Tensor> tensors) {
  private static final String FORMAT = "gossamer run 2";
  private static final String LATENTS = "latents";
  private static final String LABELS = "labels.";
  private static final ObjectMapper JSON = new ObjectMapper();

  RunState {
    tensors = new LinkedHashMap<>(tensors);
  }

  Tensor latents() {
    return tensors.get(LATENTS);
  }

  /** Those tensors whose names begin so, by the rest of their names. */
  Map<String, Tensor> under(String prefix) {
    Map<String, Tensor> found = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) -> {
          if (name.startsWith(prefix)) {
            found.put(name.substring(prefix.length()), tensor);
          }
        });
    return found;
  }

  /**
   * Writes the state; the file is whole or what it was before.
   *
   * @throws dev.gossamer.tensor.failure.EnvironmentException if it cannot be written
   */
  void write(Path file) {
    Map<String, Tensor> all = new LinkedHashMap<>(tensors);
    for (AttentionReport.ClusterLabels labels : attention.labels()) {
      String name =
          LABELS
              + labels.step()
              + "."
              + labels.layer()
              + "."
              + labels.branch()
              + "."
              + labels.head();
      all.put(name + ".queries", Tensor.of(labels.queries(), labels.queries().length));
      all.put(name + ".keys", Tensor.of(labels.keys(), labels.keys().length));
    }
    Map<String, String> notes = new LinkedHashMap<>();
    notes.put("format", FORMAT);
    notes.put("identity", identity.json());
    notes.put("done", "" + done);
    notes.put("steps", "" + steps);
    try {
      notes.put("stepSeconds", JSON.writeValueAsString(stepSeconds));
      notes.put("calls", JSON.writeValueAsString(attention.calls()));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("Records of numbers are always JSON", e);
    }
    SafetensorsWriter.write(file, all, notes);
  }

  /**
   * Reads a state; its tensors belong to the current scope.
   *
   * @throws BadInputException if the file is damaged or something else
   */
  static RunState read(Path file) {
    SafetensorsFile stored;
    try {
      stored = SafetensorsFile.open(file);
    } catch (BadInputException e) {
      throw damaged(file, "it is no whole safetensors file", e);
    }
    Map<String, String> notes = stored.metadata();
    if (!FORMAT.equals(notes.get("format")) || !stored.entries().containsKey(LATENTS)) {
      throw damaged(file, "it is not a run that this version of Gossamer saved", null);
    }
    try {
      AttentionReport.Call[] calls =
          JSON.readValue(notes.get("calls"), AttentionReport.Call[].class);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : stored.entries().keySet()) {
        if (!name.startsWith(LABELS)) {
          tensors.put(name, stored.tensor(name).copy());
        }
      }
      return new RunState(
          RunIdentity.parse(notes.get("identity")),
          Integer.parseInt(notes.get("done")),
          Integer.parseInt(notes.get("steps")),
          List.of(JSON.readValue(notes.get("stepSeconds"), Double[].class)),
          new AttentionReport(List.of(calls), labels(stored)),
          tensors);
    } catch (JsonProcessingException | RuntimeException e) {
      throw damaged(file, "it is damaged", e);
    }
  }

  private static List<AttentionReport.ClusterLabels> labels(SafetensorsFile stored) {
    List<AttentionReport.ClusterLabels> labels = new ArrayList<>();
    for (String name : stored.entries().keySet()) {
      if (name.startsWith(LABELS) && name.endsWith(".queries")) {
        String[] parts = name.split("\\.");
        labels.add(
            new AttentionReport.ClusterLabels(
                Integer.parseInt(parts[1]),
                Integer.parseInt(parts[2]),
                Integer.parseInt(parts[3]),
                Integer.parseInt(parts[4]),
                stored.tensor(name).toInts(),
                stored.tensor(name.replace(".queries", ".keys")).toInts()));
      }
    }
    return labels;
  }

  private static BadInputException damaged(Path file, String what, Exception cause) {
    return new BadInputException(
        "Cannot go on from " + file + ": " + what,
        "Delete it, or run without --resume, to begin anew",
        cause);
  }
}
