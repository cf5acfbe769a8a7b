package dev.gossamer.bench;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
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
   * Writes the file whole; if that fails, one that was there before stays.
   *
   * @throws EnvironmentException if this machine has no fonts, or the file cannot be written
   */
  public void write(Drawing drawing) {
    PartFile.write(path, drawn(drawing));
  }

  private byte[] drawn(Drawing drawing) {
    ByteArrayOutputStream picture = new ByteArrayOutputStream();
    try {
      drawing.to(picture);
    } catch (OutOfMemoryError e) {
      throw e;
    } catch (Error | RuntimeException | IOException e) {
      // Without fonts, fontconfig, AWT or its libraries every version of Java throws something
      // else.
      throw new EnvironmentException(
          "Cannot draw " + path + ": " + e,
          "Install fontconfig and a font; the figures stand in the page without it",
          e);
    }
    return picture.toByteArray();
  }
}
