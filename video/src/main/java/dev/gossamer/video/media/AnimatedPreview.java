package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.ffmpeg.global.avutil;

/**
 * An animated WebP picture ({@code .webp}, repeats for ever) to look at while a video is still
 * being denoised. Browsers show it in full colour, unlike GIF, at a tenth of the bytes of APNG.
 */
public final class AnimatedPreview {
  private AnimatedPreview() {}

  /**
   * Writes the preview, replacing an older one at once: whoever has it open never sees half a file.
   *
   * @param frames of any size, for example as small as the latents
   * @param width pixels of the preview, even; small frames are enlarged smoothly
   * @param height rows of the preview, even
   * @throws EnvironmentException if the file cannot be written
   */
  public static void write(
      Path path, Frames frames, int width, int height, double framesPerSecond) {
    if (width < 2 || height < 2 || width % 2 != 0 || height % 2 != 0) {
      throw new IllegalArgumentException(
          "A preview of " + width + "x" + height + " pixels; both sides must be even");
    }
    // compression_level is the effort, 0..6: 0 is up to twice as fast as 4 for 20 to 40 % more
    // bytes.
    Encoding encoding =
        new Encoding(
            "webp",
            Map.of("loop", "0"),
            "libwebp_anim",
            List.of(Map.of("quality", "80", "compression_level", "0")),
            avutil.AVCOL_SPC_BT470BG,
            Map.of(),
            width,
            height,
            framesPerSecond);
    try (EncodedFile file =
        new EncodedFile(new PartFile(path), encoding, frames.width(), frames.height())) {
      frames.forEach(file::add);
      file.finish();
    }
  }
}
