package dev.gossamer.tensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How much memory this process has in use, mapped files that were read included; Java's own heap as
 * well as tensors.
 *
 * @param bytes now ({@code VmRSS}); 0 where the system does not say
 * @param peakBytes the most since the process began ({@code VmHWM}); 0 likewise
 */
public record ResidentMemory(long bytes, long peakBytes) {
  private static final Path STATUS = Path.of("/proc/self/status");

  /** Of this process, now. */
  public static ResidentMemory now() {
    long bytes = 0;
    long peak = 0;
    try {
      for (String line : Files.readAllLines(STATUS)) {
        if (line.startsWith("VmRSS:")) {
          bytes = kibibytes(line);
        } else if (line.startsWith("VmHWM:")) {
          peak = kibibytes(line);
        }
      }
    } catch (IOException | NumberFormatException e) {
      return new ResidentMemory(0, 0);
    }
    return new ResidentMemory(bytes, peak);
  }

  private static long kibibytes(String line) {
    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
  }
}
