package dev.gossamer.cli;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What to draw, beside the prompt; what is not given is as the checkpoint draws best. */
final class RequestArguments {
  @Option(
      names = "--frames",
      paramLabel = "N",
      description =
          "Frames, a multiple of 4 plus 1, CogVideoX of 8 (default: mini model 33, Wan 2.1 81,"
              + " CogVideoX 49, HunyuanVideo 129).")
  private Integer frames;

  @Option(
      names = "--size",
      paramLabel = "WxH",
      converter = FrameSize.Converter.class,
      description =
          "Width and height in pixels, multiples of 16 (default: mini model 256x256, Wan 2.1"
              + " 832x480, CogVideoX 720x480, HunyuanVideo 1280x720).")
  private FrameSize size;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Denoising steps (default: mini model 20, others 50).")
  private Integer steps;

  @Option(
      names = "--guidance",
      paramLabel = "WEIGHT",
      description =
          "Weight of the prompt against the negative one; 1 leaves that out and halves the work"
              + " (default: mini model 4, Wan 2.1 5, CogVideoX 6, HunyuanVideo 6, where it is an"
              + " input of the model).")
  private Double guidance;

  @Option(
      names = "--true-guidance",
      paramLabel = "WEIGHT",
      description =
          "HunyuanVideo only: weight of the prompt against the negative one in a pass of its own,"
              + " which doubles the work; 1 leaves that out (default: ${DEFAULT-VALUE}).")
  private double trueGuidance = 1;

  @Option(
      names = "--negative",
      paramLabel = "TEXT",
      description =
          "What not to draw (default: nothing); HunyuanVideo looks at it with --true-guidance.")
  private String negative = "";

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of everything random (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--image",
      paramLabel = "FILE",
      description =
          "The picture that the video begins with, for image-to-video models: PNG, JPEG, .. It"
              + " fills the frame; without --size the frame takes its shape.")
  private Path image;

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if a value is out of its range
   */
  VideoRequest request(TextToVideo model, String prompt, AttentionMethod attention) {
    VideoRequest request =
        (image == null ? model.request(prompt) : model.request(prompt, image))
            .withNegative(negative)
            .withTrueGuidance(trueGuidance)
            .withSeed(seed)
            .withAttention(attention);
    if (frames != null) {
      request = request.withFrames(frames);
    }
    if (size != null) {
      request = request.withSize(size.width(), size.height());
    }
    if (steps != null) {
      request = request.withSteps(steps);
    }
    return guidance == null ? request : request.withGuidance(guidance);
  }
}
