package dev.gossamer.mini;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/**
 * The files of a model with their sizes and SHA-256, as written in a {@code .manifest}: one line
 * {@code sha256 bytes path} per file.
 *
 * @param files in the order of the manifest, at least one
 */
record Manifest(List<Entry> files) {
  /**
   * One file.
   *
   * @param sha256 64 hexadecimal digits
   * @param bytes length
   * @param path relative to the model's folder, with slashes
   */
  record Entry(String sha256, long bytes, String path) {
    static Entry of(String line) {
      String[] parts = line.split(" ", 3);
      return new Entry(parts[0], Long.parseLong(parts[1]), parts[2]);
    }

    /** The line that describes a file that exists. */
    static Entry of(Path folder, String path) throws IOException {
      Path file = folder.resolve(path);
      return new Entry(Manifest.sha256(file), Files.size(file), path);
    }

    @Override
    public String toString() {
      return sha256 + " " + bytes + " " + path;
    }
  }

  Manifest {
    files = List.copyOf(files);
    if (files.isEmpty()) {
      throw new IllegalArgumentException("A manifest names at least one file");
    }
  }

  /** A file of lines beside this class. */
  static Manifest ofResource(String name) {
    try (InputStream stream = Manifest.class.getResourceAsStream(name)) {
      String text = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
      return new Manifest(text.lines().map(Entry::of).toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The file of most bytes: weights, without which the rest is of no use. */
  Entry largest() {
    return Collections.max(files, Comparator.comparingLong(Entry::bytes));
  }

  /** What all files take together. */
  long bytes() {
    return files.stream().mapToLong(Entry::bytes).sum();
  }

  /** A name for exactly these files: other weights get another folder. */
  String folderName() {
    MessageDigest digest = digest();
    files.forEach(file -> digest.update((file + "\n").getBytes(StandardCharsets.UTF_8)));
    return "mini-" + HexFormat.of().formatHex(digest.digest(), 0, 6);
  }

  /** Whether a folder holds every file with its length and content. */
  boolean matches(Path folder) {
    try {
      for (Entry file : files) {
        Path path = folder.resolve(file.path());
        if (!Files.isRegularFile(path)
            || Files.size(path) != file.bytes()
            || !sha256(path).equals(file.sha256())) {
          return false;
        }
      }
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static String sha256(Path file) throws IOException {
    MessageDigest digest = digest();
    try (InputStream stream = Files.newInputStream(file)) {
      byte[] block = new byte[1 << 20];
      for (int read = stream.read(block); read >= 0; read = stream.read(block)) {
        digest.update(block, 0, read);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every Java platform has SHA-256", e);
    }
  }
}
