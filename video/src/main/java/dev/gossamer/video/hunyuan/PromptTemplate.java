package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.video.text.TokenIds;

/**
 * What Llama is asked around a prompt, and what is kept of its answer.
 *
 * @param text with {@code {}} where the prompt stands
 * @param crop tokens before the prompt, whose rows are dropped
 * @param rows tokens behind them at most
 */
record PromptTemplate(String text, int crop, int rows) {
  /** The released model's; an input of the model, so that each character counts. */
  static final PromptTemplate RELEASED =
      new PromptTemplate(
          "<|start_header_id|>system<|end_header_id|>\n\n"
              + "Describe the video by detailing the following aspects: "
              + "1. The main content and theme of the video."
              + "2. The color, shape, size, texture, quantity, text, and spatial relationships of"
              + " the objects."
              + "3. Actions, events, behaviors temporal relationships, physical movement changes"
              + " of the objects."
              + "4. background environment, light, style and atmosphere."
              + "5. camera angles, movements, and transitions used in the video:<|eot_id|>"
              + "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
          95,
          256);

  /** The text with a prompt in it. */
  String around(String prompt) {
    return text.replace("{}", prompt);
  }

  /** Tokens that are read at most. */
  int longest() {
    return crop + rows;
  }

  /**
   * Rows that are kept.
   *
   * @throws BadInputException if there are none: the tokenizer is not the model's
   */
  int kept(TokenIds ids) {
    if (ids.count() <= crop) {
      throw new BadInputException(
          "Cannot read the prompt: with its template it has "
              + ids.count()
              + " tokens, and the first "
              + crop
              + " are not its own",
          "Is the tokenizer of this model?");
    }
    return ids.count() - crop;
  }
}
