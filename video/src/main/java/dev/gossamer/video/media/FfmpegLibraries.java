package dev.gossamer.video.media;

import dev.gossamer.tensor.libtorch.NativeLibrary;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swresample;
import org.bytedeco.ffmpeg.global.swscale;

/** What of ffmpeg has to be at hand to write and read videos, on Linux. */
public final class FfmpegLibraries {
  private FfmpegLibraries() {}

  /** The libraries; each needs those before it. */
  public static List<NativeLibrary> all() {
    return Stream.of(
            "libdrm.so.2",
            "libva.so.2",
            "libva-drm.so.2",
            "libavutil.so." + avutil.LIBAVUTIL_VERSION_MAJOR,
            "libswresample.so." + swresample.LIBSWRESAMPLE_VERSION_MAJOR,
            "libavcodec.so." + avcodec.LIBAVCODEC_VERSION_MAJOR,
            "libavformat.so." + avformat.LIBAVFORMAT_VERSION_MAJOR,
            "libswscale.so." + swscale.LIBSWSCALE_VERSION_MAJOR,
            "libjniavutil.so",
            "libjniavcodec.so",
            "libjniavformat.so",
            "libjniswscale.so")
        .map(file -> new NativeLibrary("ffmpeg", file))
        .toList();
  }
}
