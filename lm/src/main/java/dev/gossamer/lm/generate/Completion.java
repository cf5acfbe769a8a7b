package dev.gossamer.lm.generate;

import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
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
    if (prompt.length == 0) {
      throw new UsageException("There is no text to continue", "Give at least one character");
    }
    int room = model.settings().context() - prompt.length;
    if (room < 1) {
      throw new UsageException(
          String.format(
              "A text of %d tokens leaves no room in the model's context of %d",
              prompt.length, model.settings().context()),
          "Use a shorter text");
    }
    sampling.logitBias().keySet().forEach(id -> requireToken(id, model.settings().vocabulary()));
    Sampler sampler = new Sampler(sampling, prompt);
    TextFlow flow = new TextFlow(tokenizer, prompt, stops);
    OptionalInt end = ignoreEnd ? OptionalInt.empty() : tokenizer.end();
    List<Integer> ids = new ArrayList<>();
    Finish finish = Finish.LENGTH;
    long start = System.nanoTime();
    long first = start;
    try (KeyValueCache cache = model.newCache()) {
      int most = Math.min(maxTokens, room);
      int[] further = prompt;
      while (ids.size() < most) {
        int next = sampler.next(last(model, cache, further, prompt, ids));
        first = ids.isEmpty() ? System.nanoTime() : first;
        if (end.isPresent() && next == end.getAsInt()) {
          finish = Finish.STOP;
          break;
        }
        ids.add(next);
        show.accept(flow.add(next));
        if (flow.stopped()) {
          finish = Finish.STOP;
          break;
        }
        if (cancelled.getAsBoolean()) {
          finish = Finish.CANCELLED;
          break;
        }
        further = new int[] {next};
      }
    }
    show.accept(flow.end());
    int[] all = ids.stream().mapToInt(Integer::intValue).toArray();
    double prefill = (first - start) / 1e9;
    return new Result(
        prompt.clone(), all, flow.text(), finish, prefill, (System.nanoTime() - first) / 1e9);
  }

  private static void requireToken(int id, int vocabulary) {
    if (id < 0 || id >= vocabulary) {
      throw new UsageException(
          "A bias for token " + id + " of a vocabulary of " + vocabulary, "Use ids below it");
    }
  }

  /** Logits behind the last token. */
  private double[] last(
      LanguageModel model, KeyValueCache cache, int[] further, int[] prompt, List<Integer> ids) {
    try (Scope scope = Scope.open()) {
      Tensor logits;
      if (cached) {
        logits = model.logits(further, List.of(cache), new int[] {further.length});
      } else {
        int[] all = Arrays.copyOf(prompt, prompt.length + ids.size());
        for (int i = 0; i < ids.size(); i++) {
          all[prompt.length + i] = ids.get(i);
        }
        logits = model.logits(all, 1);
      }
      return logits.select(0, logits.size(0) - 1).toDoubles();
    }
  }
}
