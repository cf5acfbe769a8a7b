package dev.gossamer.video;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 over bytes as they come, as 64 hexadecimal digits. */
final class Sha256 {
  private final MessageDigest digest;

  Sha256() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every Java platform has SHA-256", e);
    }
  }

  Sha256 add(ByteBuffer bytes) {
    digest.update(bytes);
    return this;
  }

  Sha256 add(String text) {
    digest.update(text.getBytes(StandardCharsets.UTF_8));
    return this;
  }

  /** The elements of a contiguous tensor on the processor. */
  Sha256 add(Tensor tensor) {
    return add(tensor.memory());
  }

  /** Digits of all that was added; starts afresh. */
  String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Digits of a file's first bytes, or of all of them if it is shorter. */
  static String of(Path file, long bytes) {
    Sha256 sha = new Sha256();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer block = ByteBuffer.allocateDirect(1 << 20);
      long left = bytes;
      while (left > 0) {
        block.clear().limit((int) Math.min(block.capacity(), left));
        int read = channel.read(block);
        if (read < 0) {
          break;
        }
        left -= read;
        sha.add(block.flip());
      }
      return sha.hex();
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + PartFile.reason(e), "Check that it is still there", e);
    }
  }

  /**
   * Digits of a file's length and of pieces spread over all of it: of a file of less than 16 MiB
   * all of it. Tells weights apart that were trained differently, without reading gigabytes.
   */
  static String sampled(Path file) {
    Sha256 sha = new Sha256();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long bytes = channel.size();
      sha.add(bytes + "\n");
      if (bytes < 1 << 24) {
        return sha.add(of(file)).hex();
      }
      ByteBuffer piece = ByteBuffer.allocate(1 << 14);
      long step = bytes / 1024;
      for (long at = 0; at < bytes; at += step) {
        piece.clear();
        while (piece.hasRemaining() && channel.read(piece, at + piece.position()) >= 0) {
          continue;
        }
        sha.add(piece.flip());
      }
      return sha.hex();
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + PartFile.reason(e), "Check that it is still there", e);
    }
  }

  /** Digits of a whole file. */
  static String of(Path file) {
    return of(file, Long.MAX_VALUE);
  }
}
