package dev.gossamer.tensor.libtorch;

import java.net.URL;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;

/**
 * A native library as the jars of the bindings carry it.
 *
 * @param binding whose it is, for example {@code ffmpeg}
 * @param file its file name, for example {@code libavutil.so.60}
 */
public record NativeLibrary(String binding, String file) {
  /** Where it lies on the class path, the build for CUDA first; empty if no jar carries it. */
  public Optional<URL> resource() {
    return Stream.of("-gpu", "")
        .map(build -> "/org/bytedeco/" + binding + "/" + Loader.getPlatform() + build + "/" + file)
        .map(NativeLibrary.class::getResource)
        .filter(url -> url != null)
        .findFirst();
  }
}
