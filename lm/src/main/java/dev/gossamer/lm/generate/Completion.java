package dev.gossamer.lm.generate;

import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Continues a text.
 *
 * @param sampling how tokens are chosen
 * @param maxTokens at most so many; fewer where the context ends
 * @param stops strings at which it ends; they are no part of the text
 * @param ignoreEnd whether to go on behind the token that ends a document
 * @param cached whether keys and values are kept; without, every token costs the whole text again,
 *     for comparison
 */
public record Completion(
    SamplingSettings sampling,
    int maxTokens,
    List<String> stops,
    boolean ignoreEnd,
    boolean cached) {
  /** Why a text ended. */
  public enum Finish {
    /** The model or a stop string ended it. */
    STOP,
    /** As many tokens as were asked for, or as the context holds. */
    LENGTH,
    /** Whoever asked for it has gone. */
    CANCELLED
  }

  /**
   * What was generated.
   *
   * @param prompt its tokens
   * @param ids those that followed
   * @param text of these
   * @param prefillSeconds until the first of them was known
   * @param decodeSeconds for the others
   */
  public record Result(
      int[] prompt,
      int[] ids,
      String text,
      Finish finish,
      double prefillSeconds,
      double decodeSeconds) {}

  public Completion {
    stops = List.copyOf(stops);
    if (maxTokens < 1) {
      throw new UsageException("Cannot generate " + maxTokens + " tokens", "Use 1 or more");
    }
    if (stops.stream().anyMatch(String::isEmpty)) {
      throw new UsageException("A stop string is empty", "Leave it out");
    }
  }

  /**
   * @param prompt tokens of the text so far, at least one
   * @param show is given the text piece by piece, whole characters only
   * @throws UsageException if the prompt does not fit the context
   */
  public Result run(
      LanguageModel model,
      TextTokenizer tokenizer,
      int[] prompt,
      Consumer<String> show,
      BooleanSupplier cancelled) {
    Continuation text = new Continuation(this, model.settings(), tokenizer, prompt);
    long start = System.nanoTime();
    long first = start;
    try (KeyValueCache cache = model.newCache()) {
      int[] further = prompt;
      while (text.finish().isEmpty()) {
        String piece = text.take(last(model, cache, further, text));
        first = further == prompt ? System.nanoTime() : first;
        show.accept(piece);
        if (text.finish().isEmpty() && cancelled.getAsBoolean()) {
          show.accept(text.cancel());
        }
        further = new int[] {text.lastId()};
      }
    }
    double prefill = (first - start) / 1e9;
    return new Result(
        prompt.clone(),
        text.ids(),
        text.text(),
        text.finish().orElseThrow(),
        prefill,
        (System.nanoTime() - first) / 1e9);
  }

  /** Logits behind the last token. */
  private double[] last(
      LanguageModel model, KeyValueCache cache, int[] further, Continuation text) {
    try (Scope scope = Scope.open()) {
      Tensor logits;
      if (cached) {
        logits = model.logits(further, List.of(cache), new int[] {further.length});
      } else {
        int[] all = text.all();
        logits = model.logits(all, 1);
      }
      return logits.select(0, logits.size(0) - 1).toDoubles();
    }
  }
}
