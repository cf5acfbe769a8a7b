package dev.gossamer.video.wan;

/**
 * Floating-point operations of Wan's parts, counted from their shapes: matrix products and
 * convolutions, two operations for each multiplication with its addition. What is left out
 * (normalisations, activations, embeddings of the timestep) is well under a hundredth.
 */
final class WanCost {
  private static final int TAPS = 27; // of a 3x3x3 convolution

  private WanCost() {}

  /** Products of queries with keys and of weights with values, in all self-attentions. */
  static double attention(WanTransformerConfig config, double tokens) {
    return 4.0 * config.layers() * tokens * tokens * config.width();
  }

  /**
   * One pass of the transformer with dense attention.
   *
   * @param textRows rows that the cross attention attends to
   */
  static double transformer(WanTransformerConfig config, double tokens, double textRows) {
    double width = config.width();
    double selfProjections = 8 * tokens * width * width;
    double crossProjections = 4 * tokens * width * width + 4 * textRows * width * width;
    double crossAttention = 4 * tokens * textRows * width;
    double feedForward = 4 * tokens * width * config.inner();
    double patches = 2 * tokens * width * 2 * config.patchSize();
    double text = 2 * textRows * width * (config.textDim() + width);
    return config.layers() * (selfProjections + crossProjections + crossAttention + feedForward)
        + attention(config, tokens)
        + patches
        + text;
  }

  /**
   * Latents to frames, without tiles.
   *
   * @param latentFrames of the latents
   * @param area rows times columns of a latent frame
   */
  static double decode(WanAutoencoderConfig config, double latentFrames, double area) {
    double frames = latentFrames;
    double pixels = area;
    double in = config.decoderChannels(0);
    double total =
        2 * frames * pixels * config.latentChannels() * (config.latentChannels() + TAPS * in);
    total += 2 * block(in, in, frames * pixels);
    total += 2 * frames * pixels * (4 * in * in + 2 * pixels * in); // attention within a frame
    for (int level = 0; level < config.levels(); level++) {
      double out = config.decoderChannels(level);
      for (int block = 0; block <= config.blocks(); block++) {
        total += block(in, out, frames * pixels);
        in = out;
      }
      if (level < config.levels() - 1) {
        if (config.doublesTime(level)) {
          total += 2 * (frames - 1) * pixels * 3 * in * 2 * in;
          frames = 2 * frames - 1;
        }
        pixels *= 4;
        total += 2 * frames * pixels * 9 * in * in / 2;
        in /= 2;
      }
    }
    return total + 2 * frames * pixels * TAPS * in * 3;
  }

  private static double block(double in, double out, double positions) {
    double shortcut = in == out ? 0 : in * out;
    return 2 * positions * (TAPS * (in * out + out * out) + shortcut);
  }
}
