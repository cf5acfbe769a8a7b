package dev.gossamer.cli.bundle;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.files.PartFolder;
import dev.gossamer.tensor.libtorch.Libtorch;
import dev.gossamer.tensor.libtorch.NativeLibrary;
import dev.gossamer.video.media.FfmpegLibraries;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * A folder with all of Gossamer but libtorch, for a Linux machine that has PyTorch and neither Java
 * nor a network: {@code java/} (a runtime), {@code cp/} (this program's class path), {@code jni/}
 * (native libraries) and the script {@code gossamer}. Nothing in it is compressed: it is made to be
 * packed as a whole.
 *
 * @param folder absent or empty before {@link #write}
 * @param without what is left out
 */
public record Bundle(Path folder, Set<BundlePart> without) {
  /** The script that starts it. */
  public static final String LAUNCHER = "gossamer";

  private static final String SCRIPT = "launcher.sh";

  /**
   * @throws EnvironmentException if this machine cannot make a bundle
   * @throws BadInputException if the folder holds something
   */
  public Bundle {
    String machine = System.getProperty("os.name") + " " + System.getProperty("os.arch");
    if (!machine.equals("Linux amd64")) {
      throw new EnvironmentException(
          "Cannot make a bundle on " + machine, "Make it on Linux with an x86-64 processor");
    }
    without = Set.copyOf(without);
    PartFolder.requireEmpty(folder);
  }

  /**
   * Writes it beside its place and moves it there, so that it is whole or absent.
   *
   * @param interrupted whether to stop
   * @return its size in bytes
   * @throws EnvironmentException if there is no jlink, or a native library is in no jar
   * @throws UncheckedIOException if it cannot be written
   */
  public long write(BooleanSupplier interrupted) {
    try (PartFolder part = PartFolder.of(folder)) {
      fill(part.path(), interrupted);
      Files.setPosixFilePermissions(part.path(), PosixFilePermissions.fromString("rwxr-xr-x"));
      part.commit();
      return size(folder);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot write the bundle " + folder + ": " + reason(e), e);
    }
  }

  private void fill(Path part, BooleanSupplier interrupted) throws IOException {
    refuseInterrupted(interrupted);
    JavaRuntime.link(part.resolve("java"));
    Path libraries = Files.createDirectory(part.resolve("jni"));
    for (NativeLibrary library : Stream.concat(Libtorch.bindings().stream(), encoder()).toList()) {
      refuseInterrupted(interrupted);
      copy(library, libraries);
    }
    Path jars = Files.createDirectory(part.resolve("cp"));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      refuseInterrupted(interrupted);
      new ClassPathEntry(Path.of(entry))
          .copyInto(jars, name -> without.stream().anyMatch(left -> left.holds(name)));
    }
    Path launcher = part.resolve(LAUNCHER);
    try (InputStream script = Bundle.class.getResourceAsStream(SCRIPT)) {
      Files.copy(script, launcher);
    }
    Files.setPosixFilePermissions(launcher, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Stream<NativeLibrary> encoder() {
    return without.contains(BundlePart.ENCODER) ? Stream.of() : FfmpegLibraries.all().stream();
  }

  private static void refuseInterrupted(BooleanSupplier interrupted) {
    if (interrupted.getAsBoolean()) {
      throw new InterruptedRunException("Stopped before the bundle was whole", "");
    }
  }

  private static void copy(NativeLibrary library, Path target) throws IOException {
    URL resource =
        library
            .resource()
            .orElseThrow(
                () ->
                    new EnvironmentException(
                        "Cannot make a bundle: no jar on the class path has " + library.file(),
                        "Make it with ./gossamer of the project"));
    try (InputStream stream = resource.openStream()) {
      Files.copy(stream, target.resolve(library.file()));
    }
  }

  private static long size(Path folder) throws IOException {
    try (Stream<Path> paths = Files.walk(folder)) {
      return paths.map(Path::toFile).filter(File::isFile).mapToLong(File::length).sum();
    }
  }

  private static String reason(IOException e) {
    return e.getClass().getSimpleName().replace("Exception", "") + " " + e.getMessage();
  }
}
