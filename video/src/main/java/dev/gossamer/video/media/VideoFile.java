package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.BadInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.avutil.AVFrameSideData;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;

/**
 * A video read from a file, whole: for tests, benchmarks and clips of a few seconds.
 *
 * @param frames all pictures of the first video track, in order of time
 * @param framesPerSecond as the file says; 0 if it does not
 * @param codec name of the compression, for example {@code h264}
 * @param colours the matrix that the file names, for example {@code bt709} or {@code unknown}
 */
public record VideoFile(Frames frames, double framesPerSecond, String codec, String colours) {
  /** Pixels; what claims to be larger is damaged or hostile. */
  private static final long LARGEST_PICTURE = 1L << 26;

  /**
   * Decodes a file.
   *
   * @param path a local file in any format that ffmpeg knows
   * @throws BadInputException if it is missing, is no video, or breaks off before its first frame
   */
  public static VideoFile read(Path path) {
    return read(path, Integer.MAX_VALUE);
  }

  /**
   * Decodes a picture, or the first of a video, turned as the camera was held.
   *
   * @param path a local file in any format that ffmpeg knows: PNG, JPEG, WebP, ..
   * @throws BadInputException if it is missing, or holds no picture
   */
  public static Frame firstFrame(Path path) {
    return read(path, 1).frames().get(0);
  }

  private static VideoFile read(Path path, int atMost) {
    if (!Files.isRegularFile(path)) {
      throw new BadInputException(
          "Cannot read "
              + path
              + (Files.isDirectory(path) ? ": it is a folder" : ": there is no such file"),
          "Check the name");
    }
    Ffmpeg.boot();
    try (Reader reader = new Reader(path)) {
      return reader.read(atMost);
    }
  }

  /** The native side of a file that is being read. */
  private static final class Reader implements AutoCloseable {
    private final Path path;
    private final AVFormatContext container = new AVFormatContext(null);
    private final AVCodecContext decoder = avcodec.avcodec_alloc_context3(null);
    private final AVPacket packet = avcodec.av_packet_alloc();
    private final Picture decoded = Picture.empty();
    private final List<Frame> frames = new ArrayList<>();

    Reader(Path path) {
      this.path = path;
    }

    VideoFile read(int atMost) {
      try (PointerScope scope = new PointerScope()) {
        AVStream stream = openStream();
        int code = avformat.av_read_frame(container, packet);
        while (code >= 0 && frames.size() < atMost) {
          if (packet.stream_index() == stream.index()) {
            decode(packet);
          }
          avcodec.av_packet_unref(packet);
          code = avformat.av_read_frame(container, packet);
        }
        check(code >= 0 || code == avutil.AVERROR_EOF() ? 0 : code);
        if (frames.size() < atMost) {
          decode(null);
        }
        if (frames.isEmpty()) {
          throw unreadable("it holds no picture");
        }
        return new VideoFile(
            new Frames(frames),
            stream.avg_frame_rate().den() == 0 ? 0 : avutil.av_q2d(stream.avg_frame_rate()),
            avcodec.avcodec_get_name(decoder.codec_id()).getString(),
            colours(stream));
      }
    }

    private static String colours(AVStream stream) {
      BytePointer name = avutil.av_color_space_name(stream.codecpar().color_space());
      return name == null ? "unknown" : name.getString();
    }

    private AVStream openStream() {
      // Only local bytes: a hostile file must not make us open what it points to.
      AVDictionary options = Ffmpeg.options(Map.of("protocol_whitelist", "file"));
      try {
        check(avformat.avformat_open_input(container, Ffmpeg.url(path), null, options));
      } finally {
        avutil.av_dict_free(options);
      }
      check(avformat.avformat_find_stream_info(container, (PointerPointer<?>) null));
      int index =
          avformat.av_find_best_stream(
              container, avutil.AVMEDIA_TYPE_VIDEO, -1, -1, (AVCodec) null, 0);
      if (index < 0) {
        throw unreadable("it holds no video");
      }
      AVStream stream = container.streams(index);
      AVCodec codec = avcodec.avcodec_find_decoder(stream.codecpar().codec_id());
      if (codec == null) {
        throw unreadable("this build of ffmpeg does not know its compression");
      }
      check(avcodec.avcodec_parameters_to_context(decoder, stream.codecpar()));
      decoder.thread_count(1);
      decoder.max_pixels(LARGEST_PICTURE);
      check(avcodec.avcodec_open2(decoder, codec, (AVDictionary) null));
      return stream;
    }

    /** Decodes one packet, or what is still inside the decoder at the end. */
    private void decode(AVPacket from) {
      check(avcodec.avcodec_send_packet(decoder, from));
      int code = avcodec.avcodec_receive_frame(decoder, decoded.av());
      while (code >= 0) {
        frames.add(toFrame());
        code = avcodec.avcodec_receive_frame(decoder, decoded.av());
      }
      check(code == avutil.AVERROR_EAGAIN() || code == avutil.AVERROR_EOF() ? 0 : code);
    }

    private Frame toFrame() {
      AVFrame frame = decoded.av();
      PixelScaler.Side from = new PixelScaler.Side(frame.width(), frame.height(), frame.format());
      boolean fullRange = frame.color_range() == avutil.AVCOL_RANGE_JPEG;
      try (PixelScaler scaler = PixelScaler.toRgb(from, fullRange, frame.colorspace());
          Picture rgb = Picture.allocate(frame.width(), frame.height(), avutil.AV_PIX_FMT_RGB24)) {
        scaler.scale(decoded, rgb);
        return turn(frame).of(rgb.toFrame());
      }
    }

    /** ffmpeg makes a display matrix of EXIF's orientation. */
    private static Turn turn(AVFrame frame) {
      AVFrameSideData matrix =
          avutil.av_frame_get_side_data(frame, avutil.AV_FRAME_DATA_DISPLAYMATRIX);
      if (matrix == null || matrix.size() < 9L * Integer.BYTES) {
        return Turn.NONE;
      }
      return Turn.of(new IntPointer(matrix.data()).capacity(9).asBuffer());
    }

    private void check(int code) {
      if (code < 0) {
        throw unreadable(Ffmpeg.reason(code));
      }
    }

    private BadInputException unreadable(String found) {
      return new BadInputException(
          "Cannot read " + path + " as a video or picture: " + found, "Expected a whole file");
    }

    @Override
    public void close() {
      decoded.close();
      avcodec.av_packet_free(packet);
      avcodec.avcodec_free_context(decoder);
      avformat.avformat_close_input(container);
    }
  }
}
