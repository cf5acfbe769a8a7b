package dev.gossamer.lm.serve;

import dev.gossamer.lm.generate.Completion;
import java.util.OptionalInt;

/**
 * One text that is to be continued.
 *
 * @param prompt its tokens so far, at least one
 * @param completion how it goes on, and when it ends
 * @param extent what is to be done
 * @param likeliest how many tokens beside each are told with their log-probabilities; empty for no
 *     log-probabilities at all
 */
public record TextRequest(
    int[] prompt, Completion completion, Extent extent, OptionalInt likeliest) {
  /** Which part of a text is worked on. */
  public enum Extent {
    /** What follows the prompt. */
    CONTINUATION,
    /** That, and the log-probabilities of the prompt's own tokens. */
    WHOLE,
    /** The prompt's alone; nothing is generated. */
    PROMPT
  }

  public TextRequest {
    prompt = prompt.clone();
  }

  @Override
  public int[] prompt() {
    return prompt.clone();
  }

  boolean scoresPrompt() {
    return extent != Extent.CONTINUATION && likeliest.isPresent();
  }
}
