package dev.gossamer.moe.plan;

/**
 * Speed-up of inference over generated tokens {@code G}: {@code (S + (G-1) d) / (1 + (G-1) d')}, in
 * units of BigMac's time for prompt and first token.
 *
 * @param first speed-up up to the first token, {@code S}
 * @param fineGrainedStep a further token of the fine-grained model, {@code d}
 * @param bigMacStep a further token of BigMac, {@code d'}; above {@code d}, decoding alone gains
 *     nothing
 */
public record DecodeFit(double first, double fineGrainedStep, double bigMacStep) {
  static DecodeFit of(double[] constants) {
    return new DecodeFit(constants[0], constants[1], constants[2]);
  }

  /** Speed-up of a prompt and so many generated tokens. */
  public double at(double tokens) {
    return (first + (tokens - 1) * fineGrainedStep) / (1 + (tokens - 1) * bigMacStep);
  }
}
