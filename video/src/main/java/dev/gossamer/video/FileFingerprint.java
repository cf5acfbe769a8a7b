package dev.gossamer.video;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What tells a file from others of its name.
 *
 * @param file its name, with its folder's for weights
 * @param bytes its length
 * @param sha256 over {@code of}
 * @param of {@code all}, or {@code header}: a weight file of 100 MB or more is told by its length
 *     and its header alone, as reading it whole would take longer than it is worth
 */
public record FileFingerprint(String file, long bytes, String sha256, String of) {
  private static final long WHOLE = 100_000_000;

  /** Of an output: all its bytes. */
  static FileFingerprint output(Path path) {
    return new FileFingerprint(path.getFileName().toString(), size(path), Sha256.of(path), "all");
  }

  /** Of a safetensors file. */
  static FileFingerprint weights(Path path) {
    String name = path.toAbsolutePath().getParent().getFileName() + "/" + path.getFileName();
    long bytes = size(path);
    if (bytes < WHOLE) {
      return new FileFingerprint(name, bytes, Sha256.of(path), "all");
    }
    try (InputStream stream = Files.newInputStream(path)) {
      long header = ByteBuffer.wrap(stream.readNBytes(8)).order(ByteOrder.LITTLE_ENDIAN).getLong();
      return new FileFingerprint(name, bytes, Sha256.of(path, 8 + header), "header");
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  private static long size(Path path) {
    try {
      return Files.size(path);
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  private static BadInputException unreadable(Path path, IOException e) {
    return new BadInputException(
        "Cannot read " + path + ": " + PartFile.reason(e), "Check that it is still there", e);
  }
}
