package dev.gossamer.video;

import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a run writes beside the video, and how it begins. None of it changes the video, but for the
 * starting noise.
 *
 * @param files where it writes
 * @param extras what is done besides
 * @param previewEvery steps between two previews; only with {@link Extra#PREVIEW}
 * @param explain steps, from 0, of which a picture shows the clusters
 * @param noise safetensors file whose tensor {@code latents} is the starting noise, instead of that
 *     of the seed
 * @param saveLatents where the latents after each step go
 * @param saveFrames where the frames go, float32
 */
public record RunOptions(
    RunFiles files,
    Set<Extra> extras,
    int previewEvery,
    Set<Integer> explain,
    Optional<Path> noise,
    Optional<Path> saveLatents,
    Optional<Path> saveFrames) {
  private static final int PREVIEW_EVERY = 4;

  /** Things that a run may do besides. */
  public enum Extra {
    /** Goes on from where an earlier run of the same request was stopped, if there is one. */
    RESUME,
    /** Makes the video with dense attention too, from the same noise, and compares. */
    COMPARE,
    /** Writes an animated preview every few steps. */
    PREVIEW,
    /** Leaves the final latents beside the video. */
    KEEP_LATENTS
  }

  /**
   * @throws UsageException if a number is out of its range
   */
  public RunOptions {
    extras = Set.copyOf(extras);
    explain = Set.copyOf(explain);
    if (previewEvery < 1) {
      throw new UsageException("A preview every " + previewEvery + " steps", "Use 1 or more");
    }
    for (int step : explain) {
      if (step < 0) {
        throw new UsageException("There is no step " + step + " to explain", "Steps count from 0");
      }
    }
  }

  /**
   * A video with its contact sheet and report, nothing else.
   *
   * @param out the video's path, with or without {@code .mp4}
   */
  public static RunOptions to(Path out) {
    return new RunOptions(
        RunFiles.of(out),
        Set.of(),
        PREVIEW_EVERY,
        Set.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  /**
   * Finds out before a run what its end would: that a file cannot be written, or would replace
   * another one of this run.
   *
   * @throws UsageException if two files have the same name
   * @throws dev.gossamer.tensor.failure.EnvironmentException if a file cannot be written
   */
  void checkFiles() {
    files.check();
    Set<Path> taken = new HashSet<>();
    for (Path own : List.of(files.video(), files.sheet(), files.report())) {
      taken.add(own.normalize());
    }
    for (Optional<Path> wanted : List.of(saveLatents, saveFrames)) {
      if (wanted.isPresent()) {
        Path file = wanted.get().toAbsolutePath().normalize();
        RunFiles.checkWritable(file.getParent());
        new PartFile(file);
        if (!taken.add(file)) {
          throw new UsageException(
              "Cannot write two things into " + file, "Give each a name of its own");
        }
      }
    }
  }

  public boolean has(Extra extra) {
    return extras.contains(extra);
  }

  public RunOptions with(Extra extra) {
    Set<Extra> more = new TreeSet<>(extras);
    more.add(extra);
    return new RunOptions(files, more, previewEvery, explain, noise, saveLatents, saveFrames);
  }

  /** Writes an animated preview after every so many steps. */
  public RunOptions withPreview(int everySteps) {
    RunOptions options = with(Extra.PREVIEW);
    return new RunOptions(
        files, options.extras, everySteps, explain, noise, saveLatents, saveFrames);
  }

  /** Draws the clusters of these steps, counted from 0. */
  public RunOptions withExplanation(Set<Integer> steps) {
    return new RunOptions(files, extras, previewEvery, steps, noise, saveLatents, saveFrames);
  }

  /** Starts from the tensor {@code latents} of a safetensors file. */
  public RunOptions withNoise(Path file) {
    return new RunOptions(
        files, extras, previewEvery, explain, Optional.of(file), saveLatents, saveFrames);
  }

  /** Writes {@code step_000} .. and {@code latents} into a safetensors file. */
  public RunOptions withSavedLatents(Path file) {
    return new RunOptions(
        files, extras, previewEvery, explain, noise, Optional.of(file), saveFrames);
  }

  /** Writes the tensor {@code frames} into a safetensors file. */
  public RunOptions withSavedFrames(Path file) {
    return new RunOptions(
        files, extras, previewEvery, explain, noise, saveLatents, Optional.of(file));
  }
}
