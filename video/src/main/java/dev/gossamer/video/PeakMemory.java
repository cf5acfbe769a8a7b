package dev.gossamer.video;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The largest that this process has been. */
public final class PeakMemory {
  private PeakMemory() {}

  /**
   * Bytes of the largest resident size since the process began, mapped files that were read
   * included ({@code VmHWM}); 0 where the system does not say.
   */
  public static long bytes() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmHWM:")) {
          return Long.parseLong(line.replaceAll("\\D", "")) << 10;
        }
      }
    } catch (IOException | NumberFormatException e) {
      return 0;
    }
    return 0;
  }
}
