package dev.gossamer.lm.generate;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.generate.Completion.Finish;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One text while it is continued: takes logits, one token's after the other, and knows when it
 * ends. Whoever computes the logits, alone or many texts at once, gets the same text of the same
 * logits. Used by one thread at a time.
 */
public final class Continuation {
  private final Sampler sampler;
  private final TextFlow flow;
  private final OptionalInt end;
  private final int[] prompt;
  private final int most;
  private int[] ids = new int[16];
  private int count;
  private Finish finish;

  /**
   * @param prompt tokens of the text so far, at least one
   * @throws UsageException if the prompt does not fit the model, or a token is not in its
   *     vocabulary
   */
  public Continuation(
      Completion completion, ModelSettings model, TextTokenizer tokenizer, int[] prompt) {
    if (prompt.length == 0) {
      throw new UsageException("There is no text to continue", "Give at least one character");
    }
    int room = model.context() - prompt.length;
    if (room < 1) {
      throw new UsageException(
          String.format(
              "A text of %d tokens leaves no room in the model's context of %d",
              prompt.length, model.context()),
          "Use a shorter text");
    }
    for (int id : completion.sampling().logitBias().keySet()) {
      if (id < 0 || id >= model.vocabulary()) {
        throw new UsageException(
            "A bias for token " + id + " of a vocabulary of " + model.vocabulary(),
            "Use ids below it");
      }
    }
    this.prompt = prompt.clone();
    this.most = Math.min(completion.maxTokens(), room);
    this.sampler = new Sampler(completion.sampling(), prompt);
    this.flow = new TextFlow(tokenizer, prompt, completion.stops());
    this.end = completion.ignoreEnd() ? OptionalInt.empty() : tokenizer.end();
  }

  /**
   * Chooses the next token.
   *
   * @param logits behind the last one
   * @return the text that can be shown now, perhaps none
   */
  public String take(double[] logits) {
    if (finish != null) {
      throw new IllegalStateException("The text has ended");
    }
    int next = sampler.next(logits);
    if (end.isPresent() && next == end.getAsInt()) {
      finish = Finish.STOP;
      return flow.end();
    }
    ids = count == ids.length ? Arrays.copyOf(ids, 2 * count) : ids;
    ids[count++] = next;
    String piece = flow.add(next);
    if (flow.stopped()) {
      finish = Finish.STOP;
    } else if (count == most) {
      finish = Finish.LENGTH;
      piece += flow.end();
    }
    return piece;
  }

  /**
   * Ends it here.
   *
   * @return the text that was held back
   */
  public String cancel() {
    finish = Finish.CANCELLED;
    return flow.end();
  }

  /** Why it ended; empty as long as it goes on. */
  public Optional<Finish> finish() {
    return Optional.ofNullable(finish);
  }

  /** Tokens that its cache may come to hold: those of the prompt and all that may follow. */
  public int longest() {
    return prompt.length + most;
  }

  /** How many tokens have been chosen. */
  public int count() {
    return count;
  }

  /** The token that was chosen last; -1 before the first. */
  public int lastId() {
    return count == 0 ? -1 : ids[count - 1];
  }

  /** Tokens that were chosen; one that ended the text is none of them. */
  public int[] ids() {
    return Arrays.copyOf(ids, count);
  }

  public int[] prompt() {
    return prompt.clone();
  }

  /** Prompt and chosen tokens. */
  int[] all() {
    int[] all = Arrays.copyOf(prompt, prompt.length + count);
    System.arraycopy(ids, 0, all, prompt.length, count);
    return all;
  }

  /** Text of the chosen tokens. */
  public String text() {
    return flow.text();
  }
}
