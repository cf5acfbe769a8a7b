package dev.gossamer.video;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Where a run writes: everything lies beside the video and begins with its name.
 *
 * @param folder the folder, created if it is not there
 * @param stem the name without an ending
 */
public record RunFiles(Path folder, String stem) {
  private static final String ENDING = ".mp4";

  /**
   * @param out the video's path, with or without {@code .mp4}
   * @throws UsageException if the path names no file
   */
  public static RunFiles of(Path out) {
    Path name = out.getFileName();
    if (name == null || name.toString().isEmpty() || Files.isDirectory(out)) {
      throw new UsageException(
          "Cannot write the video to '" + out + "': it is a folder", "Name a file, as cat.mp4");
    }
    String text = name.toString();
    boolean ended =
        text.toLowerCase(Locale.ROOT).endsWith(ENDING) && text.length() > ENDING.length();
    Path parent = out.toAbsolutePath().getParent();
    return new RunFiles(parent, ended ? text.substring(0, text.length() - ENDING.length()) : text);
  }

  /** The video, H.264. */
  public Path video() {
    return folder.resolve(stem + ENDING);
  }

  /** The contact sheet. */
  public Path sheet() {
    return folder.resolve(stem + ".png");
  }

  /** The report. */
  public Path report() {
    return folder.resolve(stem + ".json");
  }

  /** This run beside the dense one. */
  public Path compareVideo() {
    return folder.resolve(stem + ".compare" + ENDING);
  }

  /** The animated preview, replaced while the run goes on. */
  public Path preview() {
    return folder.resolve(stem + ".preview.webp");
  }

  /** Which cluster each token was in at a step. */
  public Path explanation(int step) {
    return folder.resolve(String.format(Locale.ROOT, "%s.step%03d.png", stem, step));
  }

  /** What an unfinished run needs to go on. */
  public Path resume() {
    return folder.resolve(stem + ".resume");
  }

  /** The same of the dense run of a comparison. */
  public Path denseResume() {
    return folder.resolve(stem + ".dense.resume");
  }

  /** The final latents, until the video is written. */
  public Path latents() {
    return folder.resolve(stem + ".latents.safetensors");
  }

  /** The same of the dense run of a comparison. */
  public Path denseLatents() {
    return folder.resolve(stem + ".dense.latents.safetensors");
  }

  /**
   * Makes the folder and tries it, so that a run does not find out at its end.
   *
   * @throws EnvironmentException if nothing can be written there
   */
  void check() {
    checkWritable(folder);
  }

  static void checkWritable(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.delete(Files.createTempFile(folder, ".gossamer", ".part"));
    } catch (IOException | SecurityException e) {
      throw new EnvironmentException(
          "Cannot write into " + folder + ": " + PartFile.reason(e), "Choose another folder", e);
    }
  }
}
