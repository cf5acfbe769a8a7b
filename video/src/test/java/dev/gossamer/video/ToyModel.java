package dev.gossamer.video;

import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.schedulers.UniPc;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * A model without weights, for testing what goes on around models: latents of 4 channels, one
 * attention whose head is the channels, frames that are the latents' first channels.
 */
final class ToyModel implements VideoModel {
  private static final int CHANNELS = 4;

  private final Map<VideoPart, LoadedOnDemand<AutoCloseable>> parts =
      new EnumMap<>(VideoPart.class);

  /** Bytes that the parts claim to weigh and to need, in bfloat16. */
  long weights = 1000;

  long work = 1000;

  /** From this step on, predictions are NaN. */
  int brokenFrom = Integer.MAX_VALUE;

  /** Every part that was loaded, in order. */
  final List<VideoPart> loads = new ArrayList<>();

  ToyModel() {
    for (VideoPart part : VideoPart.values()) {
      parts.put(
          part,
          new LoadedOnDemand<>(
              () -> {
                loads.add(part);
                return () -> {};
              }));
    }
  }

  @Override
  public String name() {
    return "toy";
  }

  @Override
  public VideoDefaults defaults() {
    return new VideoDefaults(9, 32, 32, 4, 3, 8);
  }

  @Override
  public VideoGeometry geometry() {
    return new VideoGeometry(4, 8, 16, 64, 1024);
  }

  @Override
  public int attentionLayers() {
    return 1;
  }

  @Override
  public Map<String, Object> settings() {
    return Map.of("toy", true);
  }

  @Override
  public List<Path> weightFiles() {
    return List.of();
  }

  @Override
  public CostPlan cost(VideoRequest request) {
    return new CostPlan(tokens(request).tokens(), request.steps(), 1, 1, 1, 1);
  }

  @Override
  public long weightBytes(VideoPart part, ModelOptions options) {
    return weights * options.dtype().bytes() / 2;
  }

  @Override
  public long workBytes(VideoPart part, VideoRequest request, ModelOptions options) {
    long pixels = (long) request.frames() * request.width() * request.height();
    return work * pixels / (9 * 32 * 32) / (options.tiles() == Tiles.ON ? 2 : 1);
  }

  @Override
  public LoadedOnDemand<?> part(VideoPart part) {
    return parts.get(part);
  }

  @Override
  public long[] latentShape(VideoRequest request) {
    return new long[] {
      1,
      CHANNELS,
      geometry().latentFrames(request.frames()),
      request.height() / 8,
      request.width() / 8
    };
  }

  @Override
  public TokenGrid tokens(VideoRequest request) {
    long[] shape = latentShape(request);
    return TokenGrid.video((int) shape[2], (int) shape[3], (int) shape[4]);
  }

  @Override
  public PromptEncoding encode(String prompt) {
    try (Scope scope = Scope.open()) {
      return new PromptEncoding(
          Map.of(
              "hash", Tensor.full(Math.floorMod(prompt.hashCode(), 97) / 97.0, DType.FLOAT32, 1)),
          0);
    }
  }

  @Override
  public Schedule schedule(int steps) {
    return UniPc.WAN.plan(steps);
  }

  @Override
  public Denoiser denoiser(
      VideoRequest request, List<PromptEncoding> prompts, AttentionSession session) {
    return new Denoiser() {
      @Override
      public int branches() {
        return prompts.size();
      }

      @Override
      public Tensor predict(Tensor latents, double timestep, int step, int branch) {
        try (Scope scope = Scope.open()) {
          Tensor rows = latents.reshape(1, 1, CHANNELS, -1).transpose(2, 3).contiguous();
          Tensor mixed = session.attention(0, branch).attend(rows, rows, rows, step);
          Tensor velocity =
              latents
                  .sub(mixed.transpose(2, 3).reshape(latents.shape()).mul(0.5))
                  .add(prompts.get(branch).tensor("hash"))
                  .mul(step >= brokenFrom ? Double.NaN : 1);
          return scope.keep(velocity);
        }
      }

      @Override
      public double guidance(int step, double timestep) {
        return request.guidance();
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void decode(Tensor latents, FrameSink sink) {
    for (long frame = 0; frame < latents.size(2); frame++) {
      try (Scope scope = Scope.open()) {
        Tensor colours = latents.select(2, frame).narrow(1, 0, 3).sigmoid();
        long high = colours.size(2);
        long wide = colours.size(3);
        Tensor picture =
            colours
                .reshape(1, 3, high, 1, wide, 1)
                .expand(1, 3, high, 8, wide, 8)
                .reshape(1, 3, high * 8, wide * 8);
        sink.accept(picture.repeat(frame == 0 ? 1 : 4, 1, 1, 1));
      }
    }
  }

  @Override
  public void close() {
    parts.values().forEach(LoadedOnDemand::close);
  }
}
