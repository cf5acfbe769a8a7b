package dev.gossamer.lm.checkpoint;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A file as it was when its checkpoint was made.
 *
 * @param name in the checkpoint's folder
 * @param bytes of its content
 * @param sha256 of its content, in hexadecimal
 */
public record StoredFile(String name, long bytes, String sha256) {
  /** Reads a file that was just written and makes sure that the disk has it. */
  static StoredFile of(Path path) {
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      channel.force(true);
      return new StoredFile(path.getFileName().toString(), channel.size(), sum(channel));
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write " + path + ": " + PartFile.reason(e), "Is the disk full?", e);
    }
  }

  /**
   * @throws BadInputException if the file in a folder is missing or of another size
   */
  void requireSize(Path folder) {
    Path path = folder.resolve(name);
    if (!path.normalize().getParent().equals(folder.normalize()) || !Files.isRegularFile(path)) {
      throw new BadInputException(path + " is missing", "Use another checkpoint");
    }
    long found = path.toFile().length();
    if (found != bytes) {
      throw new BadInputException(
          path + " has " + found + " bytes, and had " + bytes + " when it was saved",
          "Use another checkpoint");
    }
  }

  /**
   * @throws BadInputException if its content in a folder is another
   */
  void requireContent(Path folder) {
    Path path = folder.resolve(name);
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      if (!sum(channel).equals(sha256)) {
        throw new BadInputException(
            path + " is not as it was saved: its checksum is another", "Use another checkpoint");
      }
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + path + ": " + PartFile.reason(e), "Use another checkpoint", e);
    }
  }

  private static String sum(FileChannel channel) throws IOException {
    MessageDigest digest = digest();
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    long at = 0;
    for (int read = channel.read(buffer, at); read >= 0; read = channel.read(buffer, at)) {
      at += read;
      digest.update(buffer.flip());
      buffer.clear();
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  static String sum(byte[] content) {
    return HexFormat.of().formatHex(digest().digest(content));
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
