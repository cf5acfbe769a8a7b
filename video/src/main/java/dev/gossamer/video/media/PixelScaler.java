package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.GossamerException;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;

/** Converts pictures between sizes and pixel formats (swscale), the same bits on every run. */
final class PixelScaler implements AutoCloseable {
  private static final int FULL_RANGE = 1;
  private static final int VIDEO_RANGE = 0;
  private static final int UNCHANGED = 1 << 16; // contrast and saturation, 16.16 fixed point

  /**
   * What kind of pictures stand on one side.
   *
   * @param format one of ffmpeg's {@code AV_PIX_FMT_} numbers
   */
  record Side(int width, int height, int format) {}

  private final SwsContext context;

  private PixelScaler(SwsContext context) {
    this.context = context;
  }

  /**
   * From RGB24 to anything.
   *
   * @param matrix of the luma and chroma, one of the {@code SWS_CS_} numbers
   */
  static PixelScaler fromRgb(int width, int height, Side to, int matrix) {
    return open(
        new Side(width, height, avutil.AV_PIX_FMT_RGB24), FULL_RANGE, to, VIDEO_RANGE, matrix);
  }

  /** From anything to RGB24 of the same size. */
  static PixelScaler toRgb(Side from, boolean fullRange, int matrix) {
    Side to = new Side(from.width(), from.height(), avutil.AV_PIX_FMT_RGB24);
    return open(from, fullRange ? FULL_RANGE : VIDEO_RANGE, to, FULL_RANGE, matrix);
  }

  /** A frame at another size, smoothly. */
  static Frame resized(Frame frame, int width, int height) {
    if (frame.width() == width && frame.height() == height) {
      return frame;
    }
    Ffmpeg.boot();
    int format = avutil.AV_PIX_FMT_RGB24;
    Side from = new Side(frame.width(), frame.height(), format);
    Side to = new Side(width, height, format);
    try (PixelScaler scaler = open(from, FULL_RANGE, to, FULL_RANGE, swscale.SWS_CS_DEFAULT);
        Picture source = Picture.allocate(frame.width(), frame.height(), format);
        Picture target = Picture.allocate(width, height, format)) {
      source.put(frame);
      scaler.scale(source, target);
      return target.toFrame();
    }
  }

  private static PixelScaler open(Side from, int fromRange, Side to, int toRange, int matrix) {
    // Bicubic enlarges smoothly; to make smaller, swscale widens the same kernel, so that nothing
    // flickers. The other flags ask for exact arithmetic, independent of the processor.
    int flags =
        swscale.SWS_BICUBIC
            | swscale.SWS_ACCURATE_RND
            | swscale.SWS_BITEXACT
            | swscale.SWS_FULL_CHR_H_INP
            | swscale.SWS_FULL_CHR_H_INT;
    SwsContext context =
        swscale.sws_getContext(
            from.width(),
            from.height(),
            from.format(),
            to.width(),
            to.height(),
            to.format(),
            flags,
            null,
            null,
            (DoublePointer) null);
    if (context == null || context.isNull()) {
      throw new GossamerException("ffmpeg cannot convert pictures from " + from + " to " + to, "");
    }
    IntPointer coefficients = swscale.sws_getCoefficients(matrix);
    swscale.sws_setColorspaceDetails(
        context, coefficients, fromRange, coefficients, toRange, 0, UNCHANGED, UNCHANGED);
    return new PixelScaler(context);
  }

  void scale(Picture from, Picture to) {
    int code = swscale.sws_scale_frame(context, to.av(), from.av());
    if (code < 0) {
      throw new GossamerException("ffmpeg cannot convert a picture: " + Ffmpeg.reason(code), "");
    }
  }

  @Override
  public void close() {
    swscale.sws_freeContext(context);
  }
}
