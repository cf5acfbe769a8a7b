package dev.gossamer.bench.video;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.video.AttentionSummary;
import dev.gossamer.video.Progress;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Frames;
import dev.gossamer.video.media.Psnr;
import dev.gossamer.video.media.Ssim;
import java.util.ArrayList;
import java.util.List;

/**
 * A video that was made to be looked at by this program, and not written.
 *
 * @param frames 8-bit, before any video compression
 * @param attention what the self-attentions did
 * @param seconds of the whole, without loading the model
 */
record SeenVideo(Frames frames, AttentionSummary attention, double seconds) {

  /** Makes it. */
  static SeenVideo make(TextToVideo model, VideoRequest request, Progress progress) {
    List<Frames> pieces = new ArrayList<>();
    long start = System.nanoTime();
    AttentionSummary attention =
        model.generate(request, frames -> pieces.add(Frames.ofChannelsFirst(frames)), progress);
    return new SeenVideo(Frames.join(pieces), attention, (System.nanoTime() - start) / 1e9);
  }

  /** Tells nothing, but lets a benchmark be stopped between two steps of a video. */
  static Progress stoppable(BenchProgress progress) {
    return new Progress() {
      @Override
      public boolean cancelled() {
        return progress.cancelled();
      }
    };
  }

  Psnr psnr(SeenVideo reference) {
    return Psnr.of(frames, reference.frames);
  }

  Ssim ssim(SeenVideo reference) {
    return Ssim.of(frames, reference.frames);
  }

  /** Relative L2 distance of the pixels, 0..255, to those of another video. */
  double relativeError(SeenVideo reference) {
    double distance = 0;
    double size = 0;
    for (int i = 0; i < frames.count(); i++) {
      Frame one = frames.get(i);
      Frame other = reference.frames.get(i);
      for (int at = 0; at < one.rgb().length; at++) {
        int difference = (one.rgb()[at] & 0xff) - (other.rgb()[at] & 0xff);
        int value = other.rgb()[at] & 0xff;
        distance += (double) difference * difference;
        size += (double) value * value;
      }
    }
    return Math.sqrt(distance / Math.max(1, size));
  }
}
