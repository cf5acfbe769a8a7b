package dev.gossamer.lm.train;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A look at held-out text.
 *
 * @param step after which it was taken
 * @param tokens that were predicted
 * @param bytes of text that they stand for
 * @param crossEntropy sum in nats
 */
public record Evaluation(long step, long tokens, long bytes, double crossEntropy) {
  /** Mean cross-entropy of a token, in nats. */
  public double loss() {
    return crossEntropy / tokens;
  }

  /** {@code exp(loss)}. */
  public double perplexity() {
    return Math.exp(loss());
  }

  /** What does not depend on the tokenizer: {@code crossEntropy / (ln 2 bytes)}. */
  public double bitsPerByte() {
    return crossEntropy / (Math.log(2) * bytes);
  }

  /** As one line of JSON has it. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("step", step);
    document.put("validationTokens", tokens);
    document.put("validationBytes", bytes);
    document.put("validationLoss", loss());
    document.put("perplexity", perplexity());
    document.put("bitsPerByte", bitsPerByte());
    return document;
  }
}
