package dev.gossamer.cli;

import dev.gossamer.video.RunFiles;
import java.nio.file.Files;
import java.nio.file.Path;

/** Names for videos whose {@code --out} is not given. */
final class OutputName {
  private OutputName() {}

  /**
   * The prompt's words, with a number where such a video is there already. An interrupted run has
   * no video yet, so that the same command with {@code --resume} finds its files.
   */
  static Path of(Path folder, String prompt) {
    return in(folder, PromptList.slug(prompt));
  }

  /** Beside the given file, with another stem, and numbered if it is there already. */
  static Path beside(Path file, String stem) {
    Path folder = file.toAbsolutePath().getParent();
    return in(folder, stem);
  }

  /** In a folder, numbered if it is there already. */
  static Path in(Path folder, String stem) {
    Path path = folder.resolve(stem + ".mp4");
    for (int number = 2; Files.exists(RunFiles.of(path).video()); number++) {
      path = folder.resolve(stem + "-" + number + ".mp4");
    }
    return path;
  }
}
