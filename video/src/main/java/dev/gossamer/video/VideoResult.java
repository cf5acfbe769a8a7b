package dev.gossamer.video;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A video that was made.
 *
 * @param report how it was made; also in the report file
 * @param files where the video, its contact sheet and its report are
 * @param compareVideo the video beside the dense one, if that was asked for
 * @param preview the last preview, if that was asked for
 * @param explanations a picture for each step that was to be explained
 * @param latents the final latents, if they were to be kept
 */
public record VideoResult(
    RunReport report,
    RunFiles files,
    Optional<Path> compareVideo,
    Optional<Path> preview,
    List<Path> explanations,
    Optional<Path> latents) {
  public VideoResult {
    explanations = List.copyOf(explanations);
  }
}
