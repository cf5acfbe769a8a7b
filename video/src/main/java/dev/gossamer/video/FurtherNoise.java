package dev.gossamer.video;

import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.video.schedulers.StepNoise;

/**
 * The draws that follow the starting noise: one generator of the request's seed makes both, as in
 * the references, also where the starting noise came from a file. Made when it is first asked.
 */
final class FurtherNoise implements StepNoise, AutoCloseable {
  private final VideoModel model;
  private final VideoRequest request;
  private Generator generator;

  FurtherNoise(VideoModel model, VideoRequest request) {
    this.model = model;
    this.request = request;
  }

  @Override
  public Tensor next() {
    if (generator == null) {
      generator = Generator.seeded(request.seed());
      try (Scope scope = Scope.open()) {
        model.noise(generator, request);
      }
    }
    return model.noise(generator, request);
  }

  @Override
  public void close() {
    if (generator != null) {
      generator.close();
    }
  }
}
