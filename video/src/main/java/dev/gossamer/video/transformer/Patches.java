package dev.gossamer.video.transformer;

import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Tensor;

/**
 * How a transformer cuts latents into tokens.
 *
 * @param channels of the latents
 * @param frames latent frames of a token
 * @param height latent rows of a token
 * @param width latent columns of a token
 */
public record Patches(int channels, int frames, int height, int width) {
  /** Where the channel stands among the numbers that a transformer gives for a token. */
  public enum Channel {
    /** Slowest: (channel, frame, row, column), as the latents are cut. */
    FIRST,
    /** Fastest: (frame, row, column, channel). */
    LAST
  }

  /** Numbers of one token. */
  public int size() {
    return channels * frames * height * width;
  }

  /**
   * Latents to tokens.
   *
   * @param latents {@code [batch, channels, frames, height, width]}
   * @return {@code [batch, video tokens, size]}, the channel slowest
   */
  public Tensor cut(Tensor latents, TokenGrid grid) {
    return latents
        .reshape(
            latents.size(0),
            channels,
            grid.frames(),
            frames,
            grid.height(),
            height,
            grid.width(),
            width)
        .permute(0, 2, 4, 6, 1, 3, 5, 7)
        .reshape(latents.size(0), grid.videoTokens(), size());
  }

  /**
   * Tokens to latents.
   *
   * @param tokens {@code [batch, video tokens, size]}
   * @return {@code [batch, channels, frames, height, width]}
   */
  public Tensor join(Tensor tokens, TokenGrid grid, Channel channel) {
    boolean first = channel == Channel.FIRST;
    long[] order = {
      first ? channels : frames,
      first ? frames : height,
      first ? height : width,
      first ? width : channels
    };
    Tensor cut =
        tokens.reshape(
            tokens.size(0),
            grid.frames(),
            grid.height(),
            grid.width(),
            order[0],
            order[1],
            order[2],
            order[3]);
    return (first ? cut.permute(0, 4, 1, 5, 2, 6, 3, 7) : cut.permute(0, 7, 1, 4, 2, 5, 3, 6))
        .reshape(
            tokens.size(0),
            channels,
            (long) grid.frames() * frames,
            (long) grid.height() * height,
            (long) grid.width() * width);
  }
}
