package dev.gossamer.video.hunyuan;

import dev.gossamer.video.text.LlamaConfig;

/**
 * Floating-point operations of HunyuanVideo's parts, counted from their shapes: matrix products and
 * convolutions, two operations for each multiplication with its addition. What is left out
 * (normalisations, activations, embeddings of the timestep, CLIP) is well under a hundredth.
 */
final class HunyuanCost {
  private static final int TAPS = 27; // of a 3x3x3 convolution

  private HunyuanCost() {}

  /**
   * Products of queries with keys and of weights with values, in all joint attentions.
   *
   * @param tokens of video and text
   */
  static double attention(HunyuanTransformerConfig config, double tokens) {
    return 4.0 * config.layers() * tokens * tokens * config.width();
  }

  /**
   * One pass of the transformer with dense attention.
   *
   * @param tokens of video and text
   * @param textTokens those of the text
   */
  static double transformer(HunyuanTransformerConfig config, double tokens, double textTokens) {
    double width = config.width();
    double inner = config.inner();
    double block = 8 * width * width + 4 * width * inner; // of one token
    double refiner =
        config.refinerLayers() * textTokens * (block + 4 * textTokens * width)
            + 2 * textTokens * config.textDim() * width;
    double patch =
        (double) config.channels() * config.patchFrames() * config.patch() * config.patch();
    return config.layers() * tokens * block
        + attention(config, tokens)
        + refiner
        + 4 * (tokens - textTokens) * patch * width;
  }

  /** One token through the layers of Llama that are run. */
  static double text(LlamaConfig config) {
    double width = config.width();
    double heads = 2.0 * (config.heads() + config.keyHeads()) * config.headWidth();
    return 2 * config.layersRun() * width * (heads + 3.0 * config.hidden());
  }

  /**
   * Latents to frames, without tiles.
   *
   * @param latentFrames of the latents
   * @param area rows times columns of a latent frame
   */
  static double decode(HunyuanAutoencoderConfig config, int latentFrames, double area) {
    int atOnce = HunyuanAutoencoder.latentsAtOnce(config);
    if (latentFrames < atOnce) {
      return run(config, latentFrames, area);
    }
    double total = 0;
    int stride = HunyuanAutoencoder.latentStride(config);
    for (int start = 0; start == 0 || start + 1 < latentFrames; start += stride) {
      total += run(config, Math.min(atOnce, latentFrames - start), area);
    }
    return total;
  }

  private static double run(HunyuanAutoencoderConfig config, int latentFrames, double area) {
    double frames = latentFrames;
    double pixels = area;
    double in = config.decoderChannels(0);
    double latents = config.latentChannels();
    double total = 2 * frames * pixels * latents * (latents + TAPS * in);
    total += 2 * block(in, in, frames * pixels);
    if (config.attention()) {
      double rows = frames * pixels;
      total += 2 * rows * (4 * in * in + (frames + 1) * pixels * in);
    }
    for (int level = 0; level < config.levels(); level++) {
      double out = config.decoderChannels(level);
      for (int block = 0; block <= config.blocks(); block++) {
        total += block(in, out, frames * pixels);
        in = out;
      }
      frames = config.changesTime(level) ? 2 * frames - 1 : frames;
      pixels *= config.changesSpace(level) ? 4 : 1;
      if (config.changesTime(level) || config.changesSpace(level)) {
        total += 2 * frames * pixels * TAPS * in * in;
      }
    }
    return total + 2 * frames * pixels * TAPS * in * 3;
  }

  private static double block(double in, double out, double positions) {
    double shortcut = in == out ? 0 : in * out;
    return 2 * positions * (TAPS * (in * out + out * out) + shortcut);
  }

  /**
   * Numbers that the decoder holds at once for each latent pixel of a run: the largest of its
   * layers with its input, the input with its edges, and its output.
   */
  static long heldPerLatentPixel(HunyuanAutoencoderConfig config, int latentFrames) {
    long frames = latentFrames;
    long area = 1;
    long most = 0;
    int in = config.decoderChannels(0);
    for (int level = 0; level < config.levels(); level++) {
      int out = config.decoderChannels(level);
      most = Math.max(most, frames * area * (2L * in + 2L * Math.max(in, out)));
      frames = config.changesTime(level) ? 2 * frames - 1 : frames;
      area *= config.changesSpace(level) ? 4 : 1;
      most = Math.max(most, frames * area * 3L * out);
      in = out;
    }
    return most;
  }
}
