package dev.gossamer.bench;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A picture that needs the fonts of the machine.
 *
 * @param path the file
 */
public record ChartFile(Path path) {
  /** Draws a picture and writes it. */
  public interface Drawing {
    void to(OutputStream stream) throws IOException;
  }

  /**
   * Writes the file, or leaves none.
   *
   * @throws EnvironmentException if this machine has no fonts
   */
  public void write(Drawing drawing) throws IOException {
    try (OutputStream stream = Files.newOutputStream(path)) {
      drawing.to(stream);
    } catch (OutOfMemoryError e) {
      throw e;
    } catch (Error | RuntimeException e) {
      // Without fonts, fontconfig, AWT or its libraries every version of Java throws something
      // else.
      Files.delete(path);
      throw new EnvironmentException(
          "Cannot draw " + path + ": " + e,
          "Install fontconfig and a font; the figures stand in the page without it",
          e);
    }
  }
}
