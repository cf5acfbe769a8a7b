package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.ffmpeg.global.avutil;

/**
 * Writes an H.264 video ({@code .mp4}) frame by frame.
 *
 * <pre>{@code
 * try (Mp4Writer writer = Mp4Writer.open(path, 256, 256, 16)) {
 *   frames.forEach(writer::add);
 *   writer.finish();
 * }
 * }</pre>
 *
 * Until {@link #finish()} the video is {@code name.mp4.part}; closing without it, as any exception
 * does, leaves nothing behind. The same frames and settings give the same bytes.
 *
 * <p>High profile, yuv420p, BT.709 with tags that say so, index in front (a browser plays while it
 * loads), constant quantiser {@value #QUANTISER}, every frame a key frame: around 45 dB against the
 * frames on the small model's cartoons at about 3.5 kB a frame of 256x256, by OpenH264. Predicted
 * frames would save a fifth there, but OpenH264 takes the last specks of a moving thing for
 * background and leaves them standing until the next key frame. An odd width or height is padded to
 * even by repeating the last column or row. Not thread-safe.
 */
public final class Mp4Writer implements AutoCloseable {
  /** H.264 quantiser, 0..51: below the point where banding of dark gradients becomes visible. */
  private static final int QUANTISER = 18;

  /**
   * OpenH264 gives up on a frame of more than about one byte a pixel, which only noise needs: then
   * the rest of the video is quantised more coarsely.
   */
  private static final List<Integer> QUANTISERS = List.of(QUANTISER, 24, 32, 40, 51);

  private final EncodedFile file;

  private Mp4Writer(EncodedFile file) {
    this.file = file;
  }

  /**
   * Opens a video file.
   *
   * @param path replaced when finished, if it exists; its folder must exist
   * @throws EnvironmentException if the file cannot be written here
   * @throws UsageException if the encoder refuses the size
   */
  public static Mp4Writer open(Path path, Mp4Settings settings) {
    Map<String, String> metadata = new LinkedHashMap<>();
    if (!settings.title().isEmpty()) {
      metadata.put("title", settings.title());
    }
    if (!settings.comment().isEmpty()) {
      metadata.put("comment", settings.comment());
    }
    Encoding encoding =
        new Encoding(
            "mp4",
            Map.of("movflags", "+faststart"),
            "libopenh264",
            QUANTISERS.stream().map(Mp4Writer::quality).toList(),
            avutil.AVCOL_SPC_BT709,
            metadata,
            even(settings.width()),
            even(settings.height()),
            settings.framesPerSecond());
    return new Mp4Writer(
        new EncodedFile(new PartFile(path), encoding, settings.width(), settings.height()));
  }

  /** Opens a video file without title and comment. */
  public static Mp4Writer open(Path path, int width, int height, double framesPerSecond) {
    return open(path, Mp4Settings.of(width, height, framesPerSecond));
  }

  /** Rate control only lets the quantiser move between qmin and qmax; no bit rate matters then. */
  private static Map<String, String> quality(int quantiser) {
    return Map.of(
        "profile", "high",
        "rc_mode", "quality",
        "qmin", String.valueOf(quantiser),
        "qmax", String.valueOf(quantiser),
        "g", "1");
  }

  private static int even(int size) {
    return size + size % 2;
  }

  /**
   * Appends a frame.
   *
   * @throws IllegalArgumentException if its size is not that of the settings
   * @throws EnvironmentException if the file cannot be written
   */
  public void add(Frame frame) {
    file.add(frame);
  }

  /**
   * Completes the video and gives it its name.
   *
   * @throws IllegalStateException if no frame was added
   * @throws EnvironmentException if the file cannot be written; nothing is left behind then
   */
  public void finish() {
    file.finish();
  }

  /** Gives up an unfinished video; after {@link #finish()} there is nothing left to do. */
  @Override
  public void close() {
    file.close();
  }
}
