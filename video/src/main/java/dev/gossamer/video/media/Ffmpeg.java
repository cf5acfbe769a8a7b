package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.libtorch.NativeLoading;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVRational;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;

/** Loads ffmpeg once and translates between its habits and ours. */
final class Ffmpeg {
  private static boolean booted;

  private Ffmpeg() {}

  /**
   * Loads ffmpeg; later calls do nothing.
   *
   * @throws EnvironmentException if its libraries cannot be loaded
   */
  static synchronized void boot() {
    if (booted) {
      return;
    }
    NativeLoading.prepare();
    try {
      NativeLoading.load(
          List.of(avutil.class, avcodec.class, avformat.class, swscale.class),
          FfmpegLibraries.all());
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      throw new EnvironmentException(
          "Cannot load ffmpeg for " + Loader.getPlatform() + ": " + e.getMessage(),
          "Run './gossamer doctor'; the natives of this platform must be on the class path",
          e);
    }
    avutil.av_log_set_level(avutil.AV_LOG_QUIET); // a library does not print; we report codes
    booted = true;
  }

  /** What an error code means, for example {@code No space left on device}. */
  static String reason(int code) {
    byte[] text = new byte[256];
    avutil.av_strerror(code, text, text.length);
    int length = 0;
    while (length < text.length && text[length] != 0) {
      length++;
    }
    return new String(text, 0, length, StandardCharsets.UTF_8);
  }

  /** A local file as ffmpeg names it, whatever its name looks like. Close it after use. */
  static BytePointer url(Path path) {
    return new BytePointer("file:" + path.toAbsolutePath(), StandardCharsets.UTF_8);
  }

  /** An AVDictionary of these options. Free it with {@link avutil#av_dict_free}. */
  static AVDictionary options(Map<String, String> options) {
    AVDictionary dictionary = new AVDictionary(null);
    options.forEach(
        (key, value) -> {
          try (BytePointer k = new BytePointer(key, StandardCharsets.UTF_8);
              BytePointer v = new BytePointer(value, StandardCharsets.UTF_8)) {
            avutil.av_dict_set(dictionary, k, v, 0);
          }
        });
    return dictionary;
  }

  /** The fraction nearest to a rate such as 23.976. Close it after use. */
  static AVRational rate(double perSecond) {
    return avutil.av_d2q(perSecond, 1001000);
  }
}
