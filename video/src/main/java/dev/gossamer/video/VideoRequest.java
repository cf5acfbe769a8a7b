package dev.gossamer.video;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What to draw and how. Everything that decides the content of the video is here; the same request
 * to the same model on the same machine gives the same video.
 *
 * <p>Whether a model can draw this size is checked by its {@link VideoGeometry}. {@link
 * TextToVideo#request} starts from the model's own defaults.
 *
 * @param prompt what to draw, not blank
 * @param negative what not to draw; may be empty
 * @param frames number of frames
 * @param width pixels
 * @param height pixels
 * @param steps denoising steps
 * @param guidance weight of the prompt against the negative; 1 or less leaves the negative out and
 *     halves the work
 * @param trueGuidance for models whose guidance is an input: weight of the prompt against the
 *     negative in a second pass; 1 or less makes no second pass
 * @param seed of the starting noise and of everything else that is random
 * @param attention how the transformer's self-attention is computed
 * @param image the picture that the video begins with, for models of image-to-video
 */
public record VideoRequest(
    String prompt,
    String negative,
    int frames,
    int width,
    int height,
    int steps,
    double guidance,
    double trueGuidance,
    long seed,
    AttentionMethod attention,
    Optional<Path> image) {
  private static final int MAX_STEPS = 1000;
  private static final int MAX_PROMPT = 100_000;

  /**
   * @throws UsageException if a value is out of its range
   */
  public VideoRequest {
    if (prompt.isBlank()) {
      throw new UsageException("The prompt is empty", "Say what to draw");
    }
    checkText("prompt", prompt);
    checkText("negative prompt", negative);
    atLeastOne("frames", frames);
    atLeastOne("width", width);
    atLeastOne("height", height);
    atLeastOne("steps", steps);
    if (steps > MAX_STEPS) {
      throw new UsageException(
          "Cannot make " + steps + " denoising steps", "Use at most " + MAX_STEPS);
    }
    if (!Double.isFinite(trueGuidance) || trueGuidance < 0) {
      throw new UsageException("True guidance is " + trueGuidance, "Use 0 or more; 1 is none");
    }
    if (!Double.isFinite(guidance) || guidance < 0) {
      throw new UsageException(
          "Guidance is " + guidance, "Use 0 or more; 1 leaves the negative prompt out");
    }
  }

  /** Of text alone, without a second pass for the negative prompt where guidance is an input. */
  public VideoRequest(
      String prompt,
      String negative,
      int frames,
      int width,
      int height,
      int steps,
      double guidance,
      long seed,
      AttentionMethod attention) {
    this(
        prompt,
        negative,
        frames,
        width,
        height,
        steps,
        guidance,
        1,
        seed,
        attention,
        Optional.empty());
  }

  private static void atLeastOne(String what, int value) {
    if (value < 1) {
      throw new UsageException("Cannot draw a video with " + what + " " + value, "Use 1 or more");
    }
  }

  /** Text must survive the way into UTF-8, for the tokenizer and for the report. */
  private static void checkText(String what, String text) {
    if (text.length() > MAX_PROMPT) {
      throw new UsageException(
          "The " + what + " has " + text.length() + " characters",
          "Use at most " + MAX_PROMPT + "; the models read some hundred words at most");
    }
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      if (Character.isHighSurrogate(letter)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(letter)) {
        throw new UsageException(
            "The " + what + " is not valid text: half a character at position " + i,
            "Check its encoding");
      }
    }
  }

  /** Whether each step runs the transformer for the negative prompt too. */
  public boolean guided() {
    return guidance > 1;
  }

  public VideoRequest withPrompt(String text) {
    return new VideoRequest(
        text,
        negative,
        frames,
        width,
        height,
        steps,
        guidance,
        trueGuidance,
        seed,
        attention,
        image);
  }

  public VideoRequest withNegative(String text) {
    return new VideoRequest(
        prompt, text, frames, width, height, steps, guidance, trueGuidance, seed, attention, image);
  }

  public VideoRequest withFrames(int count) {
    return new VideoRequest(
        prompt,
        negative,
        count,
        width,
        height,
        steps,
        guidance,
        trueGuidance,
        seed,
        attention,
        image);
  }

  /** Width and height in pixels. */
  public VideoRequest withSize(int wide, int high) {
    return new VideoRequest(
        prompt,
        negative,
        frames,
        wide,
        high,
        steps,
        guidance,
        trueGuidance,
        seed,
        attention,
        image);
  }

  public VideoRequest withSteps(int count) {
    return new VideoRequest(
        prompt,
        negative,
        frames,
        width,
        height,
        count,
        guidance,
        trueGuidance,
        seed,
        attention,
        image);
  }

  public VideoRequest withGuidance(double weight) {
    return new VideoRequest(
        prompt,
        negative,
        frames,
        width,
        height,
        steps,
        weight,
        trueGuidance,
        seed,
        attention,
        image);
  }

  public VideoRequest withTrueGuidance(double weight) {
    return new VideoRequest(
        prompt, negative, frames, width, height, steps, guidance, weight, seed, attention, image);
  }

  public VideoRequest withSeed(long number) {
    return new VideoRequest(
        prompt,
        negative,
        frames,
        width,
        height,
        steps,
        guidance,
        trueGuidance,
        number,
        attention,
        image);
  }

  public VideoRequest withAttention(AttentionMethod method) {
    return new VideoRequest(
        prompt,
        negative,
        frames,
        width,
        height,
        steps,
        guidance,
        trueGuidance,
        seed,
        method,
        image);
  }

  /** Beginning with a picture, which fills the frame: what sticks out at its sides is cut off. */
  public VideoRequest withImage(Path file) {
    return new VideoRequest(
        prompt,
        negative,
        frames,
        width,
        height,
        steps,
        guidance,
        trueGuidance,
        seed,
        attention,
        Optional.of(file));
  }
}
