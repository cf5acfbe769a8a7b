package dev.gossamer.video;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.video.media.AnimatedPreview;
import dev.gossamer.video.media.Frames;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The animated preview of a run, replaced every few steps. The colours come from the map that the
 * checkpoint carries; where it carries none, one is fitted to the first latent frame, decoded once.
 */
final class PreviewFile {
  private final Path folder;
  private final VideoEngine engine;
  private final Path file;
  private final Progress progress;
  private Optional<PreviewMap> map = Optional.empty();
  private boolean given;
  private boolean written;

  PreviewFile(Path folder, VideoEngine engine, Path file, Progress progress) {
    this.folder = folder;
    this.engine = engine;
    this.file = file;
    this.progress = progress;
  }

  /**
   * Shows what the video would be.
   *
   * @param estimate of the final latents, {@link VideoModel#latentShape}
   */
  void write(Tensor estimate, VideoRequest request, StageClock clock) {
    long start = System.nanoTime();
    try (Scope scope = Scope.open()) {
      Tensor latents = engine.model().videoLatents(estimate);
      if (map.isEmpty() && !given) {
        map = find(latents, clock);
      }
      if (map.isPresent()) {
        VideoGeometry geometry = engine.model().geometry();
        double rate = (double) engine.model().defaults().framesPerSecond() / geometry.frameStride();
        AnimatedPreview.write(
            file,
            Frames.ofChannelsFirst(map.get().apply(latents)),
            request.width(),
            request.height(),
            rate);
        written = true;
      }
    } catch (GossamerException e) {
      // A preview is a courtesy; the run is worth more than it.
      map = Optional.empty();
      progress.note("No more previews: " + e.getMessage());
    }
    clock.add(Stage.WRITE, StageClock.since(start));
  }

  private Optional<PreviewMap> find(Tensor latents, StageClock clock) {
    given = true;
    Optional<PreviewMap> stored = PreviewMap.in(folder, latents.size(1));
    if (stored.isPresent()) {
      return stored;
    }
    if (engine.residency() == Residency.STAGED) {
      progress.note(
          "No preview: the checkpoint has no preview.safetensors, and memory is too tight to fit"
              + " one");
      return Optional.empty();
    }
    engine.load(VideoPart.DECODER, clock);
    Tensor first = latents.narrow(2, 0, 1);
    List<Tensor> frames = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      VideoModel model = engine.model();
      model.decode(
          model.latentLayout().exchange(first), frame -> frames.add(scope.adopt(frame.copy())));
      PreviewMap.Fit fit = new PreviewMap.Fit((int) latents.size(1));
      return Optional.of(fit.add(first, Tensor.cat(0, frames), model.geometry()).solve());
    }
  }

  /** Where the preview is, if one was written. */
  Optional<Path> written() {
    return written ? Optional.of(file) : Optional.empty();
  }
}
