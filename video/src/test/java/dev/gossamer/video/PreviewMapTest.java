package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PreviewMapTest {
  private static final VideoGeometry GEOMETRY = new VideoGeometry(4, 8, 16, 64, 1024);
  private static final PreviewMap TRUTH =
      new PreviewMap(
          new double[][] {{0.1, 0, -0.05, 0.02}, {0, 0.07, 0.03, 0}, {-0.04, 0.01, 0, 0.06}},
          new double[] {0.5, 0.4, 0.6});

  @TempDir Path folder;

  /** Frames that the true map gives, each latent pixel a block of 8x8, each latent frame four. */
  private static Tensor frames(Tensor latents) {
    Tensor colours = TRUTH.apply(latents);
    long count = colours.size(0);
    Tensor large =
        colours
            .reshape(count, 3, 2, 1, 3, 1)
            .expand(count, 3, 2, 8, 3, 8)
            .reshape(count, 3, 16, 24);
    return Tensor.cat(0, large.narrow(0, 0, 1), repeated(large.narrow(0, 1, count - 1)));
  }

  private static Tensor repeated(Tensor rest) {
    long count = rest.size(0);
    return rest.unsqueeze(1).expand(count, 4, 3, 16, 24).reshape(count * 4, 3, 16, 24);
  }

  @Test
  void findsTheMapThatMadeTheFrames() {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(1)) {
      PreviewMap.Fit fit = new PreviewMap.Fit(4);
      for (int video = 0; video < 3; video++) {
        Tensor latents = generator.normal(1, 4, 3, 2, 3);
        fit.add(latents, frames(latents), GEOMETRY);
      }
      PreviewMap found = fit.solve();
      for (int colour = 0; colour < 3; colour++) {
        assertThat(found.bias()[colour]).isCloseTo(TRUTH.bias()[colour], within(1e-4));
        assertThat(found.weight()[colour]).containsExactly(TRUTH.weight()[colour], within(1e-4));
      }
    }
  }

  @Test
  void onePictureOfOneColourIsEnough() {
    try (Scope scope = Scope.open()) {
      Tensor latents = Tensor.full(0.5, DType.FLOAT32, 1, 4, 1, 2, 3);
      Tensor frame = Tensor.full(0.25, DType.FLOAT32, 1, 3, 16, 24);
      PreviewMap found = new PreviewMap.Fit(4).add(latents, frame, GEOMETRY).solve();
      assertThat(found.apply(latents).amax().item()).isCloseTo(0.25, within(1e-3));
    }
  }

  @Test
  void comesBackFromItsFile() {
    assertThat(PreviewMap.in(folder, 4)).isEmpty();
    TRUTH.write(folder);
    PreviewMap read = PreviewMap.in(folder, 4).orElseThrow();
    assertThat(read.weight()[2]).containsExactly(TRUTH.weight()[2], within(1e-7));
    assertThat(read.bias()).containsExactly(TRUTH.bias(), within(1e-7));
    assertThatThrownBy(() -> PreviewMap.in(folder, 16))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("[3, 16]");
  }
}
