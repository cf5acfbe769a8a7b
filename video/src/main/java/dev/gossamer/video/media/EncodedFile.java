package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVIOContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.avutil.AVRational;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;

/**
 * A file of moving pictures while it is written: frames go in one by one, through the encoder into
 * the container, and the file gets its name when it is complete. Closing an unfinished one leaves
 * nothing behind. Not thread-safe.
 */
final class EncodedFile implements AutoCloseable {
  private final PartFile part;
  private final Encoding encoding;
  private final int frameWidth;
  private final int frameHeight;

  private final AVFormatContext container;
  private final AVCodec codec;
  private AVCodecContext encoder;
  private int quality;
  private final AVPacket packet;
  private AVStream stream;
  private Picture rgb;
  private Picture encodable;
  private PixelScaler scaler;
  private long frames;
  private boolean open = true;

  /**
   * Opens the file and the encoder.
   *
   * @param frameWidth pixels of the frames that will be added
   * @param frameHeight rows of the frames that will be added; frames are padded by up to one pixel
   *     where the encoding is larger by that, and scaled where it is not
   * @throws EnvironmentException if the file cannot be written or the encoder is missing
   * @throws UsageException if the encoder refuses the size
   */
  EncodedFile(PartFile part, Encoding encoding, int frameWidth, int frameHeight) {
    Ffmpeg.boot(); // before the first class of the bindings is touched
    this.container = new AVFormatContext(null);
    this.encoder = new AVCodecContext(null);
    this.part = part;
    this.encoding = encoding;
    this.frameWidth = frameWidth;
    this.frameHeight = frameHeight;
    this.codec = avcodec.avcodec_find_encoder_by_name(encoding.encoder());
    if (codec == null) {
      throw new EnvironmentException(
          "This build of ffmpeg has no encoder " + encoding.encoder(),
          "Use the ffmpeg natives that this library depends on");
    }
    this.packet = avcodec.av_packet_alloc();
    try (PointerScope scope = new PointerScope()) {
      openEncoder();
      openPictures();
      openContainer();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Opens the encoder at the current quality, in place of an earlier one. */
  private void openEncoder() {
    avcodec.avcodec_free_context(encoder);
    encoder = avcodec.avcodec_alloc_context3(codec);
    AVRational rate = Ffmpeg.rate(encoding.framesPerSecond());
    encoder.width(encoding.width()).height(encoding.height());
    encoder.pix_fmt(avutil.AV_PIX_FMT_YUV420P).framerate(rate).time_base(avutil.av_inv_q(rate));
    encoder.color_range(avutil.AVCOL_RANGE_MPEG).colorspace(encoding.matrix());
    if (encoding.matrix() == avutil.AVCOL_SPC_BT709) {
      encoder.color_primaries(avutil.AVCOL_PRI_BT709).color_trc(avutil.AVCOL_TRC_BT709);
    }
    int containerFlags = avformat.av_guess_format(encoding.muxer(), null, null).flags();
    if ((containerFlags & avformat.AVFMT_GLOBALHEADER) != 0) {
      encoder.flags(encoder.flags() | avcodec.AV_CODEC_FLAG_GLOBAL_HEADER);
    }
    encoder.flags(encoder.flags() | avcodec.AV_CODEC_FLAG_BITEXACT);
    encoder.thread_count(1); // several would race for the bytes
    AVDictionary options = Ffmpeg.options(encoding.encoderOptions().get(quality));
    try {
      int code = avcodec.avcodec_open2(encoder, codec, options);
      if (code < 0) {
        throw new UsageException(
            "The encoder "
                + encoding.encoder()
                + " refuses "
                + encoding.width()
                + "x"
                + encoding.height()
                + " pixels at "
                + encoding.framesPerSecond()
                + " frames/s: "
                + Ffmpeg.reason(code),
            "Choose another size");
      }
      requireAllUsed(options, encoding.encoder());
    } finally {
      avutil.av_dict_free(options);
    }
  }

  private void openPictures() {
    int paddedWidth = padded(frameWidth, encoding.width());
    int paddedHeight = padded(frameHeight, encoding.height());
    rgb = Picture.allocate(paddedWidth, paddedHeight, avutil.AV_PIX_FMT_RGB24);
    encodable = Picture.allocate(encoding.width(), encoding.height(), avutil.AV_PIX_FMT_YUV420P);
    PixelScaler.Side to =
        new PixelScaler.Side(encoding.width(), encoding.height(), avutil.AV_PIX_FMT_YUV420P);
    scaler = PixelScaler.fromRgb(paddedWidth, paddedHeight, to, encoding.matrix());
  }

  private static int padded(int size, int encoded) {
    return encoded == size + 1 ? encoded : size;
  }

  private void openContainer() {
    check(
        avformat.avformat_alloc_output_context2(container, null, encoding.muxer(), null),
        "starting the container");
    container.flags(container.flags() | AVFormatContext.AVFMT_FLAG_BITEXACT);
    container.metadata(Ffmpeg.options(encoding.metadata()));
    stream = avformat.avformat_new_stream(container, null);
    stream.time_base(encoder.time_base()).avg_frame_rate(encoder.framerate());
    check(
        avcodec.avcodec_parameters_from_context(stream.codecpar(), encoder),
        "describing the stream");
    AVIOContext file = new AVIOContext(null);
    BytePointer url = Ffmpeg.url(part.path());
    check(avformat.avio_open(file, url, avformat.AVIO_FLAG_WRITE), "");
    container.pb(file);
    // The container moves its index to the front in the end and needs the name for that.
    container.url(avutil.av_strdup(url));
    AVDictionary options = Ffmpeg.options(encoding.muxerOptions());
    try {
      check(avformat.avformat_write_header(container, options), "");
      requireAllUsed(options, encoding.muxer());
    } finally {
      avutil.av_dict_free(options);
    }
  }

  private static void requireAllUsed(AVDictionary options, String by) {
    if (avutil.av_dict_count(options) != 0) {
      throw new GossamerException("ffmpeg's " + by + " lacks an option that we set", "");
    }
  }

  /**
   * Appends a frame.
   *
   * @throws IllegalArgumentException if its size is not the announced one
   * @throws EnvironmentException if the file cannot be written; close this then
   */
  void add(Frame frame) {
    if (!open) {
      throw new IllegalStateException(part.target() + " is closed already");
    }
    if (frame.width() != frameWidth || frame.height() != frameHeight) {
      throw new IllegalArgumentException(
          "Frame "
              + frames
              + " of "
              + part.target()
              + " is "
              + frame.size()
              + ", announced was "
              + frameWidth
              + "x"
              + frameHeight);
    }
    rgb.put(frame);
    requireEncoded(avutil.av_frame_make_writable(encodable.av()));
    scaler.scale(rgb, encodable);
    encodable.av().pts(frames++);
    encodable.av().duration(1);
    encode(encodable.av());
  }

  /** Sends one picture, or none at the end, and moves what comes out into the container. */
  private void encode(AVFrame picture) {
    int sent = avcodec.avcodec_send_frame(encoder, picture);
    while (sent < 0 && quality + 1 < encoding.encoderOptions().size()) {
      quality++;
      openEncoder(); // its first picture is a key frame, so the stream simply goes on
      sent = avcodec.avcodec_send_frame(encoder, picture);
    }
    requireEncoded(sent);
    int received = avcodec.avcodec_receive_packet(encoder, packet);
    while (received >= 0) {
      write();
      received = avcodec.avcodec_receive_packet(encoder, packet);
    }
    if (received != avutil.AVERROR_EAGAIN() && received != avutil.AVERROR_EOF()) {
      requireEncoded(received);
    }
  }

  private void requireEncoded(int code) {
    if (code < 0) {
      throw new GossamerException(
          "The encoder " + encoding.encoder() + " failed on a frame: " + Ffmpeg.reason(code), "");
    }
  }

  private void write() {
    try (PointerScope scope = new PointerScope()) {
      packet.stream_index(0);
      if (packet.duration() == 0) {
        packet.duration(1); // else the last picture would be shown for no time at all
      }
      avcodec.av_packet_rescale_ts(packet, encoder.time_base(), stream.time_base());
      check(avformat.av_interleaved_write_frame(container, packet), "");
      check(container.pb().error(), "");
    }
  }

  /**
   * Completes the file and gives it its name.
   *
   * @throws IllegalStateException if no frame was added
   * @throws EnvironmentException if the file cannot be written; nothing is left behind then
   */
  void finish() {
    if (!open || frames == 0) {
      throw new IllegalStateException(
          part.target() + (open ? " got no frame; a video needs one" : " is closed already"));
    }
    try {
      encode(null);
      check(avformat.av_write_trailer(container), "");
      AVIOContext file = container.pb();
      check(file.error(), "");
      container.pb(null);
      check(avformat.avio_closep(file), "");
    } catch (RuntimeException e) {
      close();
      throw e;
    }
    free();
    part.commit();
  }

  /** Frees everything; deletes the file unless it was finished. Closing twice does nothing. */
  @Override
  public void close() {
    if (open) {
      free();
      part.discard();
    }
  }

  private void free() {
    open = false;
    if (!container.isNull()) {
      AVIOContext file = container.pb();
      if (file != null) {
        container.pb(null);
        avformat.avio_closep(file);
      }
      avformat.avformat_free_context(container);
    }
    avcodec.av_packet_free(packet);
    avcodec.avcodec_free_context(encoder);
    if (scaler != null) {
      scaler.close();
    }
    if (encodable != null) {
      encodable.close();
    }
    if (rgb != null) {
      rgb.close();
    }
  }

  private void check(int code, String during) {
    if (code < 0) {
      throw part.failure((during.isEmpty() ? "" : during + ": ") + Ffmpeg.reason(code), null);
    }
  }
}
