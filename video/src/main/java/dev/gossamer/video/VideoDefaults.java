package dev.gossamer.video;

import dev.gossamer.attention.AttentionMethod;

/**
 * What a checkpoint draws best, where a person says nothing else.
 *
 * @param frames number of frames
 * @param width pixels
 * @param height pixels
 * @param steps denoising steps
 * @param guidance weight of the prompt against the negative
 * @param framesPerSecond speed of play
 */
public record VideoDefaults(
    int frames, int width, int height, int steps, double guidance, int framesPerSecond) {
  /** A request with these values, an empty negative prompt and seed 0. */
  public VideoRequest request(String prompt, AttentionMethod attention) {
    return new VideoRequest(prompt, "", frames, width, height, steps, guidance, 0, attention);
  }
}
