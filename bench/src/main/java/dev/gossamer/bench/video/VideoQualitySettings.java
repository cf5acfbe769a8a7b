package dev.gossamer.bench.video;

import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.ModelOptions;
import java.nio.file.Path;
import java.util.List;

/**
 * What {@link VideoQuality} makes.
 *
 * @param model folder of the checkpoint
 * @param options how it is loaded and where it runs
 * @param prompts what is drawn
 * @param subjects attentions that are compared with dense
 * @param size of every video
 * @param frames of every video
 * @param steps denoising steps
 * @param guidance weight of the prompt
 * @param seed of the noise, the same for every video
 */
public record VideoQualitySettings(
    Path model,
    ModelOptions options,
    List<String> prompts,
    List<AttentionSubject> subjects,
    VideoSize size,
    int frames,
    int steps,
    double guidance,
    long seed) {
  /** Ten prompts of what the mini model can draw. */
  static final List<String> PROMPTS =
      List.of(
          "a rocket flies up in space",
          "a penguin falls at sunset",
          "a cat bounces and a dog spins on the grass",
          "a red balloon rises on a blue background",
          "a small fish slides left at the sea",
          "a robot grows on a white background",
          "a big pizza spins on a yellow background",
          "a snowman sways in the snow",
          "a car moves right in the desert",
          "a ghost zigzags on a night sky");

  /**
   * The presets and rivals at a quarter of the pairs, {@code default} also at less. All sparse in
   * every layer and dense in the first fifth of the steps; the presets {@code paper} and {@code
   * cluster} also as they are.
   */
  static final String SUBJECTS =
      "paper@.25,paper@.25+denseSteps=.2,cluster@.25,cluster@.25+denseLayers=[],"
          + "svg2@.25,sparge@.25,default@.25,default@.15,default@.10,default";

  /**
   * @throws UsageException if there is nothing to make
   */
  public VideoQualitySettings {
    prompts = List.copyOf(prompts);
    subjects = List.copyOf(subjects);
    if (prompts.isEmpty() || subjects.isEmpty()) {
      throw new UsageException(
          "Nothing to compare: " + prompts.size() + " prompts, " + subjects.size() + " attentions",
          "Use at least one of each");
    }
  }

  /** Ten prompts, 33 frames of 256x256, 20 steps, guidance 4, seed 0. */
  public static VideoQualitySettings of(Path model, ModelOptions options) {
    return new VideoQualitySettings(
        model,
        options,
        PROMPTS,
        AttentionSubject.parseAll(SUBJECTS),
        new VideoSize(256, 256),
        33,
        20,
        4,
        0);
  }

  public VideoQualitySettings withPrompts(List<String> several) {
    return new VideoQualitySettings(
        model, options, several, subjects, size, frames, steps, guidance, seed);
  }

  public VideoQualitySettings withSubjects(List<AttentionSubject> several) {
    return new VideoQualitySettings(
        model, options, prompts, several, size, frames, steps, guidance, seed);
  }

  public VideoQualitySettings withSize(VideoSize one) {
    return new VideoQualitySettings(
        model, options, prompts, subjects, one, frames, steps, guidance, seed);
  }

  public VideoQualitySettings withFrames(int count) {
    return new VideoQualitySettings(
        model, options, prompts, subjects, size, count, steps, guidance, seed);
  }

  public VideoQualitySettings withSteps(int count) {
    return new VideoQualitySettings(
        model, options, prompts, subjects, size, frames, count, guidance, seed);
  }
}
