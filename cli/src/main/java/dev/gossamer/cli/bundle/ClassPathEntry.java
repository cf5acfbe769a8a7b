package dev.gossamer.cli.bundle;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * A jar of the class path, or a folder of classes that an unfinished build uses in its place.
 *
 * @param path as the class path names it
 */
record ClassPathEntry(Path path) {
  /** Of JavaCPP's bindings: their native libraries go elsewhere in a bundle, or not at all. */
  private static final Pattern BINDING = Pattern.compile("org/bytedeco/\\w+/\\w+-\\w+(-gpu)?/.*");

  private static final Pattern NATIVE = Pattern.compile(".*\\.(so|dll|dylib|jnilib|a)");
  private static final Pattern LINUX = Pattern.compile("(?i).*/linux[-/]x86[-_]64/.*");

  /** A native library of another platform, or one that does not belong into a jar of a bundle. */
  private static boolean left(String name) {
    return BINDING.matcher(name).matches()
        || NATIVE.matcher(name).matches() && !LINUX.matcher(name).matches();
  }

  /**
   * Writes it as a jar, without compression; one that holds nothing but native code is left out.
   *
   * @param without names of entries that are not wanted
   */
  void copyInto(Path folder, Predicate<String> without) throws IOException {
    if (Files.isDirectory(path)) {
      packInto(folder, without);
    } else if (Files.exists(path)) {
      repackInto(folder, without);
    }
  }

  private void repackInto(Path folder, Predicate<String> without) throws IOException {
    try (ZipFile jar = new ZipFile(path.toFile())) {
      List<? extends ZipEntry> entries =
          jar.stream().filter(e -> !left(e.getName()) && !without.test(e.getName())).toList();
      if (entries.stream().map(ZipEntry::getName).noneMatch(ClassPathEntry::isClass)) {
        return;
      }
      try (ZipOutputStream out = uncompressed(folder.resolve(path.getFileName()))) {
        for (ZipEntry entry : entries) {
          out.putNextEntry(new ZipEntry(entry.getName()));
          try (InputStream in = jar.getInputStream(entry)) {
            in.transferTo(out);
          }
          out.closeEntry();
        }
      }
    }
  }

  private static boolean isClass(String name) {
    return name.endsWith(".class") && !name.startsWith("META-INF/");
  }

  private void packInto(Path folder, Predicate<String> without) throws IOException {
    Path jar = Files.createTempFile(folder, "classes-", ".jar");
    try (ZipOutputStream out = uncompressed(jar);
        Stream<Path> files = Files.walk(path)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        String name = path.relativize(file).toString();
        if (without.test(name)) {
          continue;
        }
        out.putNextEntry(new ZipEntry(name));
        Files.copy(file, out);
        out.closeEntry();
      }
    }
  }

  private static ZipOutputStream uncompressed(Path jar) throws IOException {
    OutputStream file = Files.newOutputStream(jar);
    ZipOutputStream out = new ZipOutputStream(file);
    out.setLevel(0);
    return out;
  }
}
