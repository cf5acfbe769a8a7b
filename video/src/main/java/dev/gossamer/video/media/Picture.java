package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.javacpp.BytePointer;

/** One picture in ffmpeg's own memory: aligned rows, any pixel format. Freed by closing. */
final class Picture implements AutoCloseable {
  private final AVFrame frame;

  private Picture(AVFrame frame) {
    this.frame = frame;
  }

  /**
   * Memory for a picture, content undefined.
   *
   * @param format one of ffmpeg's {@code AV_PIX_FMT_} numbers
   */
  static Picture allocate(int width, int height, int format) {
    AVFrame frame = avutil.av_frame_alloc();
    frame.width(width).height(height).format(format);
    int code = avutil.av_frame_get_buffer(frame, 0);
    if (code < 0) {
      avutil.av_frame_free(frame);
      throw new EnvironmentException(
          "Cannot hold a picture of " + width + "x" + height + ": " + Ffmpeg.reason(code),
          "Free some memory");
    }
    return new Picture(frame);
  }

  /** A picture without memory, for a decoder to fill. */
  static Picture empty() {
    return new Picture(avutil.av_frame_alloc());
  }

  AVFrame av() {
    return frame;
  }

  /** Copies a frame into this RGB24 picture; a larger picture repeats the last column and row. */
  void put(Frame source) {
    int rowBytes = 3 * source.width();
    BytePointer pixels = frame.data(0);
    byte[] edge = new byte[3 * (frame.width() - source.width())];
    for (int y = 0; y < frame.height(); y++) {
      int from = Math.min(y, source.height() - 1) * rowBytes;
      pixels.position((long) y * frame.linesize(0)).put(source.rgb(), from, rowBytes);
      for (int i = 0; i < edge.length; i++) {
        edge[i] = source.rgb()[from + rowBytes - 3 + i % 3];
      }
      pixels.position((long) y * frame.linesize(0) + rowBytes).put(edge, 0, edge.length);
    }
  }

  /** Copies this RGB24 picture out. */
  Frame toFrame() {
    int rowBytes = 3 * frame.width();
    byte[] rgb = new byte[rowBytes * frame.height()];
    BytePointer pixels = frame.data(0);
    for (int y = 0; y < frame.height(); y++) {
      pixels.position((long) y * frame.linesize(0)).get(rgb, y * rowBytes, rowBytes);
    }
    return new Frame(frame.width(), frame.height(), rgb);
  }

  @Override
  public void close() {
    avutil.av_frame_free(frame);
  }
}
