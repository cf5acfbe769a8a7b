package dev.gossamer.lm.train;

import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Measures a model on one text, in windows that do not overlap; the last may be shorter. Every
 * token but the first is predicted, the first of a later window by the last of the one before it.
 *
 * @param ids of the whole text, with whatever the tokenizer puts around it
 * @param length tokens of a window
 */
public record TextEvaluation(int[] ids, int length) {
  /**
   * @throws BadInputException if there is nothing to predict
   */
  public TextEvaluation {
    if (ids.length < 2) {
      throw new BadInputException(
          "A text of " + ids.length + " tokens has none to predict", "Use a longer one");
    }
    if (length < 1) {
      throw new UsageException("Windows of " + length + " tokens", "Use 1 or more");
    }
  }

  /**
   * @param logits file for the logits of every token, {@code logits [tokens, vocabulary]} float32
   */
  public Evaluation of(LanguageModel model, TextTokenizer tokenizer, Optional<Path> logits) {
    try (Scope scope = Scope.open()) {
      Tensor all = logits.map(path -> room(model.settings().vocabulary())).orElse(null);
      double loss = 0;
      for (int from = 0; from < ids.length; from += length) {
        loss += window(model, from, all);
      }
      logits.ifPresent(
          path -> {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("logits", all);
            SafetensorsWriter.write(path, tensors, Map.of("format", "pt"));
          });
      long bytes = tokenizer.bytes(Arrays.copyOfRange(ids, 1, ids.length));
      return new Evaluation(0, ids.length - 1, bytes, loss);
    }
  }

  private Tensor room(int vocabulary) {
    long bytes = (long) ids.length * vocabulary * Float.BYTES;
    if (bytes > Integer.MAX_VALUE) {
      throw new UsageException(
          "The logits of "
              + ids.length
              + " tokens would take "
              + bytes / 1_000_000
              + " MB, and a file holds 2147",
          "Save those of a shorter text");
    }
    return Tensor.empty(DType.FLOAT32, ids.length, vocabulary);
  }

  private double window(LanguageModel model, int from, Tensor all) {
    int to = Math.min(ids.length, from + length);
    int[] some = Arrays.copyOfRange(ids, from, to);
    int[] targets = Arrays.copyOfRange(ids, from + 1, to + 1);
    if (to == ids.length) {
      targets[targets.length - 1] = -1;
    }
    if (all == null) {
      return model.loss(some, targets, 1);
    }
    try (Scope scope = Scope.open()) {
      Tensor logits = model.logits(some, 1);
      all.narrow(0, from, to - from).copyFrom(logits);
      Tensor losses = logits.logSumExp(false, 1);
      double[] ofAll = losses.toDoubles();
      double sum = 0;
      for (int i = 0; i < some.length; i++) {
        if (targets[i] >= 0) {
          sum += ofAll[i] - logits.select(0, i).select(0, targets[i]).item();
        }
      }
      return sum;
    }
  }
}
