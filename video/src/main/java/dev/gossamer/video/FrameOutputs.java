package dev.gossamer.video;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.video.media.ContactSheet;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Frames;
import dev.gossamer.video.media.Mp4Settings;
import dev.gossamer.video.media.Mp4Writer;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Takes decoded frames as they come and makes of them the video file, its contact sheet, their
 * fingerprint and, where they are wanted later, the frames themselves. Holds no more of them than
 * that.
 */
final class FrameOutputs implements FrameSink, AutoCloseable {
  private final Plan plan;
  private final Progress progress;
  private final Mp4Writer video;
  private final Sha256 sha = new Sha256();
  private final ContactSheet sheet;
  private final List<Frame> picked = new ArrayList<>();
  private final Scope held = Scope.detached();
  private final List<Tensor> floats = new ArrayList<>();
  private final List<Frame> pixels = new ArrayList<>();
  private int taken;
  private double seconds;

  /**
   * What is to come and what is to be made of it.
   *
   * @param frames how many will come
   * @param geometry for counting latent frames, the steps of progress
   * @param video where the video goes
   * @param title of the video, in its file
   * @param keep what is kept of all frames
   */
  record Plan(
      int frames,
      int width,
      int height,
      int framesPerSecond,
      VideoGeometry geometry,
      Path video,
      String title,
      Set<Keep> keep) {}

  /** As what all frames are kept until this is closed. */
  enum Keep {
    /** 8-bit, to compare with others. */
    PIXELS,
    /** float32, to write into a file. */
    FLOATS
  }

  /** Opens the video file under a temporary name; nothing is there until {@link #finish}. */
  FrameOutputs(Plan plan, Progress progress) {
    this.plan = plan;
    this.progress = progress;
    this.video =
        Mp4Writer.open(
            plan.video(),
            Mp4Settings.of(plan.width(), plan.height(), plan.framesPerSecond())
                .withTitle(plan.title()));
    this.sheet = new ContactSheet(plan.title(), plan.frames(), plan.framesPerSecond());
  }

  @Override
  public void accept(Tensor frames) {
    if (progress.cancelled()) {
      throw new InterruptedRunException(
          "Stopped while decoding, after " + taken + " of " + plan.frames() + " frames", "");
    }
    long start = System.nanoTime();
    for (Frame frame : Frames.ofChannelsFirst(frames)) {
      sha.add(ByteBuffer.wrap(frame.rgb()));
      video.add(frame);
      sheet.add(frame);
      if (shown(taken)) {
        picked.add(frame);
      }
      if (plan.keep().contains(Keep.PIXELS)) {
        pixels.add(frame);
      }
      taken++;
    }
    if (plan.keep().contains(Keep.FLOATS)) {
      try (Scope scope = Scope.open()) {
        floats.add(held.adopt(frames.copy()));
      }
    }
    seconds += StageClock.since(start);
    int latentFrames = plan.geometry().latentFrames(plan.frames());
    progress.advance(Stage.DECODE, plan.geometry().latentFrames(taken), latentFrames);
  }

  /** Gives the video its name. */
  void finish() {
    long start = System.nanoTime();
    video.finish();
    seconds += StageClock.since(start);
  }

  /** Writes the contact sheet. */
  void writeSheet(Path path) {
    sheet.write(path);
  }

  /** Writes the kept frames as {@code frames} [frames, 3, height, width] float32. */
  void writeFloats(Path path) {
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(path, Map.of("frames", Tensor.cat(0, floats)), Map.of());
    }
  }

  /** One frame of each latent frame: the only, or the second of four. */
  List<Frame> ofEachLatentFrame() {
    return List.copyOf(picked);
  }

  /** Whether a frame stands for its latent frame. */
  private boolean shown(int frame) {
    int stride = plan.geometry().frameStride();
    return frame == 0 || (frame - 1) % stride == Math.min(1, stride - 1);
  }

  /** All frames; they must have been kept as pixels. */
  Frames pixels() {
    return new Frames(pixels);
  }

  /** SHA-256 over all frames as 8-bit {@code [frames, height, width, 3]}; asked for once. */
  String sha256() {
    return sha.hex();
  }

  /** Seconds spent here, so far. */
  double seconds() {
    return seconds;
  }

  @Override
  public void close() {
    video.close();
    held.close();
  }
}
