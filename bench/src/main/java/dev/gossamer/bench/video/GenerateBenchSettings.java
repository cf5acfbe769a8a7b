package dev.gossamer.bench.video;

import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.ModelOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;

/**
 * What {@link GenerateBench} measures and how.
 *
 * @param model folder of the checkpoint
 * @param options how it is loaded and where it runs
 * @param prompt what is drawn, with seed 0
 * @param subjects attentions that are compared with dense
 * @param sizes one case each
 * @param frames of each video; empty for what the checkpoint draws best
 * @param steps denoising steps; empty likewise
 * @param runs measured videos of each attention and size, after one that warms up
 */
public record GenerateBenchSettings(
    Path model,
    ModelOptions options,
    String prompt,
    List<AttentionSubject> subjects,
    List<VideoSize> sizes,
    OptionalInt frames,
    OptionalInt steps,
    int runs) {
  /**
   * @throws UsageException if there is nothing to measure
   */
  public GenerateBenchSettings {
    subjects = List.copyOf(subjects);
    sizes = List.copyOf(sizes);
    if (subjects.isEmpty() || sizes.isEmpty() || runs < 1) {
      throw new UsageException(
          "Nothing to measure: "
              + subjects.size()
              + " attentions, "
              + sizes.size()
              + " sizes, "
              + runs
              + " runs",
          "Use at least one of each");
    }
  }

  /** The default {@code generate} at 256x256 and 128x128, 3 runs. */
  public static GenerateBenchSettings of(Path model, ModelOptions options) {
    return new GenerateBenchSettings(
        model,
        options,
        "a rocket flies up in space",
        AttentionSubject.parseAll("default"),
        List.of(new VideoSize(256, 256), new VideoSize(128, 128)),
        OptionalInt.empty(),
        OptionalInt.empty(),
        3);
  }

  public GenerateBenchSettings withSubjects(List<AttentionSubject> several) {
    return new GenerateBenchSettings(model, options, prompt, several, sizes, frames, steps, runs);
  }

  public GenerateBenchSettings withSizes(List<VideoSize> several) {
    return new GenerateBenchSettings(
        model, options, prompt, subjects, several, frames, steps, runs);
  }

  public GenerateBenchSettings withFrames(int count) {
    return new GenerateBenchSettings(
        model, options, prompt, subjects, sizes, OptionalInt.of(count), steps, runs);
  }

  public GenerateBenchSettings withSteps(int count) {
    return new GenerateBenchSettings(
        model, options, prompt, subjects, sizes, frames, OptionalInt.of(count), runs);
  }

  public GenerateBenchSettings withRuns(int count) {
    return new GenerateBenchSettings(model, options, prompt, subjects, sizes, frames, steps, count);
  }
}
