package dev.gossamer.tensor.libtorch.cuda;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Compiled kernels on disk, each under a key of all that decides its machine code. A file is whole
 * or absent, so several processes may share the folder; where it cannot be written, nothing is
 * kept.
 *
 * @param folder made when it is first written to
 */
public record KernelCache(Path folder) {
  private static final String SUFFIX = ".cubin";

  /** Every machine image is an ELF file. */
  private static final byte[] MAGIC = {0x7f, 'E', 'L', 'F'};

  /**
   * What decides machine code.
   *
   * @param code of the source, all that it includes from us
   * @param options of the compiler, the architecture among them
   * @param compiler its version
   * @param driver the driver's
   */
  public record Key(String code, List<String> options, int compiler, int driver) {
    public Key {
      options = List.copyOf(options);
    }

    /** SHA-256 over the parts, each with its length, so that none can run into the next. */
    String digest() {
      try {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        part(digest, code);
        options.forEach(option -> part(digest, option));
        part(digest, compiler + "/" + driver);
        return HexFormat.of().formatHex(digest.digest());
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("Every Java has SHA-256", e);
      }
    }

    private static void part(MessageDigest digest, String text) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      digest.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
      digest.update(bytes);
    }
  }

  /** The image of a key: from disk, else compiled and kept. */
  public byte[] image(Key key, Supplier<byte[]> compile) {
    Path file = folder.resolve(key.digest() + SUFFIX);
    return read(file)
        .orElseGet(
            () -> {
              byte[] image = compile.get();
              write(file, image);
              return image;
            });
  }

  /** Forgets an image, for one that a card refused. */
  public void forget(Key key) {
    try {
      Files.deleteIfExists(folder.resolve(key.digest() + SUFFIX));
    } catch (IOException e) {
      // It is compiled again whether or not it could be deleted.
      return;
    }
  }

  private static Optional<byte[]> read(Path file) {
    try {
      byte[] image = Files.readAllBytes(file);
      boolean whole = image.length > MAGIC.length;
      for (int i = 0; whole && i < MAGIC.length; i++) {
        whole = image[i] == MAGIC[i];
      }
      return whole ? Optional.of(image) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Its own name until it is whole: another process may write the same image. */
  private void write(Path file, byte[] image) {
    try {
      Files.createDirectories(folder);
      Path own = Files.createTempFile(folder, "new-", SUFFIX);
      PartFile.write(own, image);
      Files.move(own, file, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException | EnvironmentException e) {
      // A folder that cannot be written costs the next start a compilation and nothing else.
      return;
    }
  }
}
