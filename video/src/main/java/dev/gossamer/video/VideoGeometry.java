package dev.gossamer.video;

import dev.gossamer.tensor.failure.UsageException;

/**
 * How a model's autoencoder and patches divide a video, and so which sizes it can draw.
 *
 * @param frameStride frames per latent frame; the first latent frame holds one frame alone
 * @param pixelStride pixels per latent row and column
 * @param sizeMultiple width and height are multiples of this, pixel stride times patch
 * @param maxLatentFrames positions that the transformer knows along time
 * @param maxSize largest width and height that the transformer knows positions for, in pixels
 * @param framesMultiple the number of frames is a multiple of this, plus 1; a multiple of the
 *     stride
 */
public record VideoGeometry(
    int frameStride,
    int pixelStride,
    int sizeMultiple,
    int maxLatentFrames,
    int maxSize,
    int framesMultiple) {
  /** Any number of latent frames. */
  public VideoGeometry(
      int frameStride, int pixelStride, int sizeMultiple, int maxLatentFrames, int maxSize) {
    this(frameStride, pixelStride, sizeMultiple, maxLatentFrames, maxSize, frameStride);
  }

  /**
   * @throws UsageException if the model cannot draw this number of frames or this size; it names
   *     the nearest values that it can
   */
  public void check(int frames, int width, int height) {
    int rest = (frames - 1) % framesMultiple;
    if (frames < 1 || rest != 0) {
      int lower = Math.max(1, frames - rest);
      throw new UsageException(
          "Cannot draw " + frames + " frames: not a multiple of " + framesMultiple + " plus 1",
          "Use " + nearest(lower, lower + framesMultiple, frames));
    }
    if (latentFrames(frames) > maxLatentFrames) {
      throw new UsageException(
          "Cannot draw " + frames + " frames",
          "This model knows at most " + ((maxLatentFrames - 1) * frameStride + 1));
    }
    checkSize("width", width);
    checkSize("height", height);
  }

  private void checkSize(String what, int pixels) {
    int rest = pixels % sizeMultiple;
    if (pixels < 1 || rest != 0) {
      int lower = pixels - rest;
      throw new UsageException(
          "Cannot draw a " + what + " of " + pixels + ": not a multiple of " + sizeMultiple,
          "Use " + nearest(Math.max(lower, 0), lower + sizeMultiple, pixels));
    }
    if (pixels > maxSize) {
      throw new UsageException(
          "Cannot draw a " + what + " of " + pixels, "This model knows at most " + maxSize);
    }
  }

  private static String nearest(int lower, int upper, int wanted) {
    return lower < 1 || lower == wanted ? "" + upper : lower + " or " + upper;
  }

  public int latentFrames(int frames) {
    return (frames - 1) / frameStride + 1;
  }

  /** About half as many frames as {@code frames}, at least 1, as the model can draw. */
  public int half(int frames) {
    int latents = Math.max(1, latentFrames(frames) / 2);
    return (latents - 1) * frameStride / framesMultiple * framesMultiple + 1;
  }

  /** Latent rows of a height, or columns of a width. */
  public int latentSize(int pixels) {
    return pixels / pixelStride;
  }

  /** Frames that a number of latent frames decodes to. */
  public int frames(int latentFrames) {
    return (latentFrames - 1) * frameStride + 1;
  }
}
