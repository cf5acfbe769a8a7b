package dev.gossamer.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden rng: PyTorch's processor generator; two versions of it differ by at most 2e-6. */
class GeneratorTest {
  private static final double TOLERANCE = 2e-6;

  @ParameterizedTest
  @ValueSource(longs = {0, 42, 1099511627783L})
  void drawsPyTorchsNormalNumbers(long seed) {
    Golden golden = Golden.open("/goldens/rng/io.safetensors");
    for (String shape : new String[] {"5", "15", "16", "17", "1000", "1x4x3x4x6"}) {
      try (Scope scope = Scope.open();
          Generator generator = Generator.seeded(seed)) {
        Tensor expected = golden.tensor("randn_seed" + seed + "_" + shape);
        assertThat(Golden.maxDifference(generator.normal(expected.shape()), expected))
            .as(shape)
            .isLessThan(TOLERANCE);
      }
    }
  }

  @Test
  void drawsPyTorchsUniformNumbers() {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(42)) {
      Tensor expected = Golden.open("/goldens/rng/io.safetensors").tensor("rand_seed42_20");
      assertThat(Golden.maxDifference(generator.uniform(20), expected)).isLessThan(TOLERANCE);
    }
  }

  @Test
  void goesOnWhereTheLastDrawEnded() {
    Golden golden = Golden.open("/goldens/rng/io.safetensors");
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(42)) {
      for (String draw : new String[] {"two_draws_seed42.a", "two_draws_seed42.b"}) {
        Tensor expected = golden.tensor(draw);
        assertThat(Golden.maxDifference(generator.normal(expected.shape()), expected))
            .as(draw)
            .isLessThan(TOLERANCE);
      }
    }
  }
}
