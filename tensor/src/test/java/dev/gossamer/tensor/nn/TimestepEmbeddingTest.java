package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import org.junit.jupiter.api.Test;

/** Golden embeddings. */
class TimestepEmbeddingTest {
  // One ulp of exp() moves the phase of timestep 6000 by 4e-4.
  private static final double TOLERANCE = 1e-3;
  private static final double TOLERANCE_TO_1000 = 2e-4;

  private final Golden golden = Golden.open("/goldens/embeddings/io.safetensors");

  @Test
  void drawsTheReferencesSinusoids() {
    try (Scope scope = Scope.open()) {
      float[] timesteps = golden.tensor("timesteps").toFloats();
      for (int width : new int[] {256, 1920, 3072}) {
        Tensor expected = golden.tensor("timestep_embedding_" + width);
        for (int i = 0; i < timesteps.length; i++) {
          Tensor sinusoid = TimestepEmbedding.sinusoid(timesteps[i], width);
          assertThat(sinusoid.shape()).containsExactly(1, width);
          assertThat(Golden.maxDifference(sinusoid, expected.narrow(0, i, 1)))
              .as("timestep %s, width %s", timesteps[i], width)
              .isLessThan(timesteps[i] > 1000 ? TOLERANCE : TOLERANCE_TO_1000);
        }
      }
    }
  }

  @Test
  void asksForTwoLinearLayers() {
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      TimestepEmbedding embedding = TimestepEmbedding.of(parameters, "time", 32, 48);
      assertThat(parameters.asked().keySet())
          .containsExactly(
              "time.linear_1.weight",
              "time.linear_1.bias",
              "time.linear_2.weight",
              "time.linear_2.bias");
      assertThat(embedding.apply(5).shape()).containsExactly(1, 48);
      assertThat(embedding.apply(5).dtype()).isEqualTo(DType.FLOAT32);
    }
  }
}
