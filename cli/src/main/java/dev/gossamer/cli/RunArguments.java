package dev.gossamer.cli;

import dev.gossamer.video.RunOptions;
import dev.gossamer.video.RunOptions.Extra;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.Option;

/** What a run writes beside the video, and how it begins. */
final class RunArguments {
  @Option(
      names = "--resume",
      description = "Go on from the last finished step of an interrupted run.")
  private boolean resume;

  @Option(
      names = "--compare",
      description =
          "Also run dense attention from the same noise: writes both side by side, prints speed,"
              + " PSNR and SSIM.")
  private boolean compare;

  @Option(
      names = "--preview",
      description = "Write an animated preview beside the video after every few steps.")
  private boolean preview;

  @Option(
      names = "--explain",
      paramLabel = "STEP",
      split = ",",
      description =
          "Draw the clusters of these steps, counted from 0: one PNG each, for example 4,19.")
  private final Set<Integer> explain = new TreeSet<>();

  @Option(
      names = "--noise",
      paramLabel = "FILE",
      description = "Start from the tensor 'latents' of a safetensors file, not from the seed.")
  private Path noise;

  @Option(
      names = "--save-latents",
      paramLabel = "FILE",
      description =
          "Write the latents after each step: step_000, ..., and latents, the final ones.")
  private Path saveLatents;

  @Option(
      names = "--save-frames",
      paramLabel = "FILE",
      description = "Write the tensor frames: float32 in 0..1, frames x 3 x height x width.")
  private Path saveFrames;

  @Option(
      names = "--keep-latents",
      description = "Leave the final latents beside the video, for decode.")
  private boolean keepLatents;

  /**
   * @param out the video's path
   * @throws dev.gossamer.tensor.failure.UsageException if a value is out of its range
   */
  RunOptions run(Path out) {
    RunOptions run = RunOptions.to(out).withExplanation(explain);
    for (Extra extra : extras()) {
      run = run.with(extra);
    }
    if (noise != null) {
      run = run.withNoise(noise);
    }
    if (saveLatents != null) {
      run = run.withSavedLatents(saveLatents);
    }
    return saveFrames == null ? run : run.withSavedFrames(saveFrames);
  }

  /** The first option given that makes one file, so that it cannot serve several videos. */
  String optionForOneVideo() {
    return saveLatents != null ? "--save-latents" : saveFrames != null ? "--save-frames" : "";
  }

  private Set<Extra> extras() {
    Set<Extra> extras = new TreeSet<>();
    if (resume) {
      extras.add(Extra.RESUME);
    }
    if (compare) {
      extras.add(Extra.COMPARE);
    }
    if (preview) {
      extras.add(Extra.PREVIEW);
    }
    if (keepLatents) {
      extras.add(Extra.KEEP_LATENTS);
    }
    return extras;
  }
}
