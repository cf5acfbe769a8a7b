package dev.gossamer.video;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a video needs in memory, part by part, against what is free: made before anything large is
 * loaded. The numbers are estimates on the safe side.
 *
 * @param parts in the order of their use
 * @param image bytes for encoding a picture before anything else is loaded; 0 without one
 * @param residency {@link Residency#KEEP} or {@link Residency#STAGED}, as decided
 * @param base bytes for Java, libtorch, ffmpeg and the frames that are kept
 * @param free bytes free, those of loaded weights included; empty if unknown
 */
public record MemoryPlan(
    List<Part> parts, long image, Residency residency, long base, OptionalLong free) {
  private static final long PROCESS = 400L << 20;

  /** Bytes per pixel: two videos and both side by side, 8-bit. */
  private static final long KEPT = 12;

  /**
   * One part.
   *
   * @param weights bytes of its weights
   * @param work bytes beside them while it works
   */
  public record Part(VideoPart part, long weights, long work) {
    public long total() {
      return weights + work;
    }
  }

  public MemoryPlan {
    parts = List.copyOf(parts);
  }

  /**
   * Plans a run.
   *
   * @param free bytes free now, without what the model holds already; empty if unknown
   */
  static MemoryPlan of(
      VideoModel model, VideoRequest request, ModelOptions options, OptionalLong free) {
    List<Part> parts = new ArrayList<>();
    long loaded = 0;
    for (VideoPart part : VideoPart.values()) {
      long weights = model.weightBytes(part, options);
      loaded += model.isLoaded(part) ? weights : 0;
      parts.add(new Part(part, weights, model.workBytes(part, request, options)));
    }
    // On a card frames and programs do not count; its kernels and libraries take about as much.
    long pixels = (long) request.frames() * request.width() * request.height();
    long base = PROCESS + (options.device().isCpu() ? KEPT * pixels : 0);
    OptionalLong all =
        free.isPresent() ? OptionalLong.of(free.getAsLong() + loaded) : OptionalLong.empty();
    long image = model.imageBytes(request, options);
    MemoryPlan keep = new MemoryPlan(parts, image, Residency.KEEP, base, all);
    return options.residency() == Residency.STAGED
            || options.residency() == Residency.AUTO && !keep.fits()
        ? new MemoryPlan(parts, image, Residency.STAGED, base, all)
        : keep;
  }

  /** Bytes at the worst moment. */
  public long needed() {
    long most = 0;
    long weights = 0;
    for (Part part : parts) {
      most = Math.max(most, residency == Residency.KEEP ? part.work() : part.total());
      weights += part.weights();
    }
    return base + Math.max(image, most + (residency == Residency.KEEP ? weights : 0));
  }

  /** Whether it fits; where nobody knows what is free, it does. */
  public boolean fits() {
    return free.isEmpty() || needed() <= free.getAsLong();
  }

  /**
   * Refuses a run that cannot fit.
   *
   * @throws EnvironmentException that names an option which would make it fit, if there is one
   */
  void check(VideoModel model, VideoRequest request, ModelOptions options) {
    if (fits()) {
      return;
    }
    throw new EnvironmentException(
        "Cannot generate "
            + request.frames()
            + " frames of "
            + request.width()
            + "x"
            + request.height()
            + ": it needs "
            + gigabytes(needed())
            + " of memory and "
            + gigabytes(free.orElse(0))
            + " are free",
        remedy(model, request, options));
  }

  /** What to do about a run that cannot fit; empty for one that does. */
  String remedy(VideoModel model, VideoRequest request, ModelOptions options) {
    return fits()
        ? ""
        : change(model, request, options)
            .map(option -> "Use " + option)
            .orElse("No option of ours makes it fit; use a machine with more memory");
  }

  /** The first change, smallest loss first, after which the run would fit. */
  private Optional<String> change(VideoModel model, VideoRequest request, ModelOptions options) {
    List<String> changes = new ArrayList<>();
    ModelOptions tried = options;
    if (tried.residency() == Residency.KEEP) {
      tried = tried.withResidency(Residency.STAGED);
      changes.add("--residency staged");
      if (fits(model, request, tried)) {
        return Optional.of(String.join(" ", changes));
      }
    }
    if (tried.dtype() == DType.FLOAT32) {
      tried = tried.withDtype(DType.BFLOAT16);
      changes.add("--dtype bf16");
      if (fits(model, request, tried)) {
        return Optional.of(String.join(" ", changes));
      }
    }
    ModelOptions passing = tried.withOffload(Offload.BLOCKS);
    if (needed(model, request, passing) < needed(model, request, tried)) {
      tried = passing;
      changes.add("--offload blocks");
      if (fits(model, request, tried)) {
        return Optional.of(String.join(" ", changes));
      }
    }
    if (tried.tiles() == Tiles.OFF) {
      tried = tried.withTiles(Tiles.ON);
      changes.add("--tiles on");
      if (fits(model, request, tried)) {
        return Optional.of(String.join(" ", changes));
      }
    }
    return smaller(model, request, tried)
        .map(size -> String.join(" ", changes) + (changes.isEmpty() ? "" : " ") + size);
  }

  /** Fewer frames first, then a smaller picture, by halves. */
  private Optional<String> smaller(VideoModel model, VideoRequest request, ModelOptions options) {
    VideoGeometry geometry = model.geometry();
    VideoRequest tried = request;
    while (tried.frames() > geometry.framesMultiple()) {
      tried = tried.withFrames(geometry.half(tried.frames()));
      if (fits(model, tried, options)) {
        return Optional.of("--frames " + tried.frames());
      }
    }
    tried = request;
    int unit = geometry.sizeMultiple();
    while (Math.min(tried.width(), tried.height()) >= 2 * unit) {
      tried = tried.withSize(tried.width() / 2 / unit * unit, tried.height() / 2 / unit * unit);
      if (fits(model, tried, options)) {
        return Optional.of("--size " + tried.width() + "x" + tried.height());
      }
    }
    return Optional.empty();
  }

  private boolean fits(VideoModel model, VideoRequest request, ModelOptions options) {
    return least(model, request, options).fits();
  }

  private long needed(VideoModel model, VideoRequest request, ModelOptions options) {
    return least(model, request, options).needed();
  }

  private MemoryPlan least(VideoModel model, VideoRequest request, ModelOptions options) {
    MemoryPlan plan = of(model, request, options, OptionalLong.empty());
    Residency least = options.residency() == Residency.KEEP ? Residency.KEEP : Residency.STAGED;
    return new MemoryPlan(plan.parts(), plan.image(), least, plan.base(), free);
  }

  /** Bytes as people read them, for example {@code 11.4 GB}. */
  static String gigabytes(long bytes) {
    return bytes >= 100_000_000
        ? String.format(Locale.ROOT, "%.1f GB", bytes / 1e9)
        : String.format(Locale.ROOT, "%.0f MB", bytes / 1e6);
  }
}
