package dev.gossamer.tensor.libtorch;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.util.List;
import org.bytedeco.javacpp.Loader;

/**
 * Who loads the native libraries of the bindings. JavaCPP does, out of the jars, as soon as one of
 * its classes is touched, unless libtorch is the one of an installed PyTorch. A process must not
 * hold two of them, so JavaCPP is switched off then. Its switch is one for all bindings: ffmpeg's
 * libraries are loaded by their files then, too.
 */
public final class NativeLoading {
  /**
   * System property: a folder that holds the libraries under their file names. Without it they come
   * out of the jars on the class path.
   */
  public static final String FOLDER_PROPERTY = "gossamer.jni";

  /** Which builds of a library JavaCPP looks for beside the plain one. */
  private static final String EXTENSION = "org.bytedeco.javacpp.platform.extension";

  private static boolean alone;

  private NativeLoading() {}

  /**
   * Says that nothing else in this process uses JavaCPP, as in a command; to be called first. Where
   * the libtorch of the jars is not for cards, JavaCPP then does not look for CUDA's libraries, one
   * by one, in every place that it knows. Its switch is one for all bindings, so a program that we
   * are a library of must not have it turned: its own ffmpeg may be another build.
   */
  public static void ownProcess() {
    alone = true;
  }

  /** Sets JavaCPP up. To be called before any class of the bindings is touched. */
  public static void prepare() {
    // JavaCPP would call System.gc() on each allocation once the process, mapped weights included,
    // is larger than twice the heap. Our scopes free memory; its limits stay off.
    System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    if (InstalledLibtorch.find().isPresent()) {
      System.setProperty("org.bytedeco.javacpp.loadlibraries", "false");
    } else if (alone && System.getProperty(EXTENSION) == null && !CudaBindings.inJars()) {
      System.setProperty(EXTENSION, "");
    }
  }

  /**
   * Loads the libraries of some bindings.
   *
   * @param classes for these, if JavaCPP may; it finds what they need
   * @param libraries these, in this order, if it may not
   * @throws UnsatisfiedLinkError if one cannot be loaded
   */
  public static void load(List<Class<?>> classes, List<NativeLibrary> libraries) {
    if (Loader.isLoadLibraries()) {
      classes.forEach(Loader::load);
    } else {
      libraries.forEach(library -> System.load(file(library).getAbsolutePath()));
    }
  }

  /** Whether a library that is not always there can be loaded. */
  static boolean has(NativeLibrary library) {
    return folder() != null
        ? new File(folder(), library.file()).exists()
        : library.resource().isPresent();
  }

  private static String folder() {
    return System.getProperty(FOLDER_PROPERTY);
  }

  private static File file(NativeLibrary library) {
    if (folder() != null) {
      return new File(folder(), library.file());
    }
    URL resource =
        library
            .resource()
            .orElseThrow(
                () -> new UnsatisfiedLinkError("no jar on the class path has " + library.file()));
    try {
      return Loader.cacheResource(resource);
    } catch (IOException e) {
      UnsatisfiedLinkError error =
          new UnsatisfiedLinkError("cannot unpack " + resource + ": " + e.getMessage());
      error.initCause(e);
      throw error;
    }
  }
}
