package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.DType;

/**
 * Floating-point operations and memory of CogVideoX' parts, counted from their shapes: matrix
 * products and convolutions, two operations for each multiplication with its addition.
 */
final class CogVideoXCost {
  private static final int TAPS = 27; // of a 3x3x3 convolution
  private static final int KEPT = 2; // frames that a causal convolution remembers
  private static final int CHUNK = 3; // latent frames of the largest chunk

  private CogVideoXCost() {}

  /** Products of queries with keys and of weights with values, in all layers. */
  static double attention(CogVideoXTransformerConfig config, double tokens) {
    return 4.0 * config.layers() * tokens * tokens * config.width();
  }

  /** One pass of the transformer with dense attention; tokens are those of text and video. */
  static double transformer(CogVideoXTransformerConfig config, double tokens) {
    double width = config.width();
    double layer = tokens * width * (8 * width + 4.0 * config.inner());
    return config.layers() * layer
        + attention(config, tokens)
        + 4 * tokens * width * config.patches().size();
  }

  /** What is known of a decoder's level. */
  private interface Levels {
    /**
     * @param in channels that come in
     * @param out channels of the level
     * @param frames per latent frame, but for the first
     * @param area pixels per latent
     */
    void level(double in, double out, double frames, double area);
  }

  private static void walk(CogVideoXAutoencoderConfig config, Levels levels) {
    double in = config.decoderChannels(0);
    double frames = 1;
    double area = 1;
    for (int level = 0; level < config.levels(); level++) {
      double out = config.decoderChannels(level);
      levels.level(in, out, frames, area);
      in = out;
      area *= 4;
      frames *= config.changesTime(level) ? 2 : 1;
    }
  }

  /**
   * Latents to frames, without tiles.
   *
   * @param latentFrames of the latents
   * @param pixels rows times columns of a latent frame
   */
  static double decode(CogVideoXAutoencoderConfig config, double latentFrames, double pixels) {
    double widest = config.decoderChannels(0);
    double[] total = {
      2 * TAPS * latentFrames * pixels * widest * (config.latentChannels() + 4 * widest)
    };
    walk(
        config,
        (in, out, frames, area) -> {
          double places = ((latentFrames - 1) * frames + 1) * area * pixels;
          double blocks = in * out + out * out + config.blocks() * 2 * out * out;
          total[0] += 2 * places * (TAPS * blocks + 4 * 9 * out * out);
        });
    return total[0];
  }

  /**
   * Bytes of a decode at its peak: the activations that are alive at once at the largest level, and
   * what the convolutions of all levels remember.
   *
   * @param pixels rows times columns of a latent frame or tile
   */
  static long decodeBytes(CogVideoXAutoencoderConfig config, DType dtype, double pixels) {
    double[] alive = {0};
    double[] kept = {0};
    walk(
        config,
        (in, out, frames, area) -> {
          double places = ((CHUNK - 1) * frames + 1) * area;
          alive[0] = Math.max(alive[0], places * (in + 2 * Math.max(in, out)));
          kept[0] += KEPT * area * (in + (2 * config.blocks() + 1) * out);
        });
    return (long) ((alive[0] + kept[0]) * pixels * dtype.bytes());
  }
}
