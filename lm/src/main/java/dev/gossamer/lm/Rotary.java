package dev.gossamer.lm;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;

/**
 * How fast rotary positions turn: pair j of a part of some width by {@code theta^(-2j / width)} for
 * each token.
 *
 * @param theta slowest wave length over 2 pi
 * @param yarn how a context longer than that of training is reached; empty if it is not
 */
public record Rotary(double theta, Optional<Yarn> yarn) {
  /**
   * Fast pairs turn as they did in training, slow ones slower, those between by a part of both
   * (YaRN, arXiv 2309.00071).
   *
   * @param factor how many times slower
   * @param trained tokens of the context in training
   * @param fast turns within that context from which a pair is fast
   * @param slow turns within that context up to which a pair is slow
   * @param whole whether the bounds between fast and slow lie at whole pairs
   * @param size factor on what has been turned
   */
  public record Yarn(
      double factor, int trained, double fast, double slow, boolean whole, double size) {
    /**
     * @throws UsageException if the numbers do not fit
     */
    public Yarn {
      require(factor >= 1, "a context stretched by " + factor, "Use 1 or more");
      require(trained >= 1, "a context of " + trained + " tokens in training", "Use 1 or more");
      require(
          fast >= slow && slow > 0,
          "fast pairs of " + fast + " turns and slow ones of " + slow,
          "Use two numbers above 0, the fast one first");
      require(size > 0, "a size of " + size, "Use a number above 0");
    }
  }

  /**
   * @throws UsageException if theta is not above 1
   */
  public Rotary {
    require(theta > 1, "a theta of " + theta, "Use a number above 1");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No rotary positions have " + found, remedy);
    }
  }

  /** For the context of training. */
  public static Rotary plain(double theta) {
    return new Rotary(theta, Optional.empty());
  }

  /** Radians for each token, of every pair of a part of this width. */
  double[] speeds(int width) {
    double[] speeds = new double[width / 2];
    for (int j = 0; j < speeds.length; j++) {
      speeds[j] = Math.pow(theta, -2.0 * j / width);
    }
    yarn.ifPresent(stretch -> slowDown(speeds, stretch));
    return speeds;
  }

  private void slowDown(double[] speeds, Yarn stretch) {
    double from = pairOf(stretch.fast(), stretch.trained(), speeds.length);
    double to = pairOf(stretch.slow(), stretch.trained(), speeds.length);
    double low = Math.max(stretch.whole() ? Math.floor(from) : from, 0);
    double high = Math.min(stretch.whole() ? Math.ceil(to) : to, 2 * speeds.length - 1);
    double span = high == low ? 0.001 : high - low; // of no length: a step, as transformers has it
    for (int j = 0; j < speeds.length; j++) {
      double slow = Math.min(1, Math.max(0, (j - low) / span));
      speeds[j] = speeds[j] * (1 - slow) + speeds[j] / stretch.factor() * slow;
    }
  }

  /** The pair, as a real number, that turns so many times within a context. */
  private double pairOf(double turns, int context, int pairs) {
    return pairs * Math.log(context / (turns * 2 * Math.PI)) / Math.log(theta);
  }

  /** Factor on what has been turned. */
  double size() {
    return yarn.map(Yarn::size).orElse(1.0);
  }
}
