package dev.gossamer.mini;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Puts a model's files into a cache folder: one process at a time writes a folder beside it and
 * renames that, so that the final name is absent or whole at any moment.
 *
 * @param title what messages call the model, behind "the"
 * @param manifest what to write
 * @param source opens a file of the model by its path; null where there is none
 */
record Unpacking(String title, Manifest manifest, Function<String, InputStream> source) {
  /** A file lock belongs to the whole process; this one orders its threads. */
  private static final Object THREADS = new Object();

  /**
   * @return the whole and checked model folder inside {@code cache}
   * @throws UncheckedIOException if it cannot be made
   */
  Path into(Path cache) {
    Path target = cache.resolve(manifest.folderName());
    if (!manifest.matches(target)) {
      try {
        Files.createDirectories(cache);
        Path lock = cache.resolve(manifest.folderName() + ".lock");
        synchronized (THREADS) {
          try (FileChannel channel =
                  FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
              FileLock held = channel.lock()) {
            replace(target);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(
            "Cannot unpack the "
                + title
                + " into "
                + target
                + ": "
                + reason(e)
                + ". Set XDG_CACHE_HOME to a folder of yours with room for "
                + (manifest.bytes() / 1_000_000 + 1)
                + " MB",
            e);
      }
    }
    return target;
  }

  private void replace(Path target) throws IOException {
    if (manifest.matches(target)) {
      return; // another process was quicker
    }
    Path fresh = Files.createTempDirectory(target.getParent(), target.getFileName() + ".part-");
    try {
      write(fresh.resolve("whole"));
      if (Files.exists(target)) {
        Files.move(target, fresh.resolve("damaged"), StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(fresh.resolve("whole"), target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      delete(fresh);
    }
  }

  private void write(Path folder) throws IOException {
    for (Manifest.Entry file : manifest.files()) {
      Path path = folder.resolve(file.path());
      Files.createDirectories(path.getParent());
      try (InputStream stream = source.apply(file.path())) {
        if (stream == null) {
          throw new FileNotFoundException("the jar lacks " + file.path());
        }
        Files.copy(stream, path);
      }
    }
    if (!manifest.matches(folder)) {
      throw new IOException("the jar or the disk is damaged, sizes or checksums differ");
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      List<Path> deepestFirst = paths.sorted(Comparator.reverseOrder()).toList();
      for (Path path : deepestFirst) {
        Files.deleteIfExists(path);
      }
    }
  }

  private static String reason(IOException e) {
    return e instanceof AccessDeniedException
        ? "no right to write " + e.getMessage()
        : e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }
}
