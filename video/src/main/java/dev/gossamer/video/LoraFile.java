package dev.gossamer.video;

import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * A file of low-rank changes (LoRA) to the weights of a transformer and its text encoders, and how
 * strongly they are made.
 *
 * @param file the safetensors file, absolute
 * @param scale 1 for what it was trained for; 0 for nothing
 */
public record LoraFile(Path file, double scale) {
  /**
   * @throws UsageException if the scale is no finite number
   */
  public LoraFile {
    file = file.toAbsolutePath().normalize();
    if (!Double.isFinite(scale)) {
      throw new UsageException(
          "The scale of the LoRA " + file + " is " + scale, "Use a number, as in FILE:0.8");
    }
  }

  /**
   * Reads what a person writes: {@code FILE} or {@code FILE:scale}.
   *
   * @throws UsageException if it names no file
   */
  public static LoraFile parse(String text) {
    int colon = text.lastIndexOf(':');
    try {
      if (colon > 0 && text.substring(colon + 1).matches("[-+]?[0-9.]+([eE][-+]?[0-9]+)?")) {
        return new LoraFile(
            Path.of(text.substring(0, colon)), Double.parseDouble(text.substring(colon + 1)));
      }
      if (!text.isBlank()) {
        return new LoraFile(Path.of(text), 1);
      }
    } catch (InvalidPathException | NumberFormatException e) {
      throw new UsageException("No LoRA is named by '" + text + "'", "Use FILE or FILE:scale");
    }
    throw new UsageException("No LoRA is named by '" + text + "'", "Use FILE or FILE:scale");
  }
}
