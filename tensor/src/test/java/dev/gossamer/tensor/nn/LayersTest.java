package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class LayersTest {
  @Test
  void linearConvertsItsInputToTheWeightsType() {
    try (Scope scope = Scope.open()) {
      Tensor weight = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).to(DType.BFLOAT16);
      Tensor bias = Tensor.of(new float[] {10, 20}, 2).to(DType.BFLOAT16);
      Tensor output = Linear.of(weight, bias).apply(Tensor.of(new float[] {1, 0, -1}, 1, 3));
      assertThat(output.dtype()).isEqualTo(DType.BFLOAT16);
      assertThat(output.toFloats()).containsExactly(8, 18);
    }
  }

  @Test
  void linearMayLackABias() {
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      Linear plain = Linear.withoutBias(parameters, "a", 3, 2);
      assertThat(plain.bias()).isEmpty();
      assertThat(Linear.of(parameters, "b", 3, 2).bias()).isPresent();
      assertThat(parameters.asked().keySet()).containsExactly("a.weight", "b.weight", "b.bias");
      assertThat(plain.apply(Tensor.zeros(DType.FLOAT32, 4, 3)).shape()).containsExactly(4, 2);
    }
  }

  @Test
  void feedForwardNamesItsTensorsLikeDiffusers() {
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      FeedForward.of(parameters, "ffn", 4, 16, Activation.GELU_TANH);
      FeedForward.projection(parameters, "text", 8, 4, Activation.SILU);
      assertThat(parameters.asked())
          .containsEntry("ffn.net.0.proj.weight", List.of(16L, 4L))
          .containsEntry("ffn.net.0.proj.bias", List.of(16L))
          .containsEntry("ffn.net.2.weight", List.of(4L, 16L))
          .containsEntry("ffn.net.2.bias", List.of(4L))
          .containsEntry("text.linear_1.weight", List.of(4L, 8L))
          .containsEntry("text.linear_2.weight", List.of(4L, 4L))
          .hasSize(8);
    }
  }

  @Test
  void feedForwardActivatesBetweenItsLayers() {
    try (Scope scope = Scope.open()) {
      Tensor one = Tensor.of(new float[] {1}, 1, 1);
      Tensor half = Tensor.of(new float[] {0.5f}, 1);
      Linear up = Linear.of(one, half);
      Linear down = Linear.of(one.mul(3), half);
      float hidden = 2.5f;
      Tensor x = Tensor.of(new float[] {2}, 1, 1);
      assertThat(new FeedForward(up, Activation.SILU, down).apply(x).item())
          .isCloseTo(3 * hidden / (1 + Math.exp(-hidden)) + 0.5, Offset.offset(1e-5));
      assertThat(new FeedForward(up, Activation.GELU_TANH, down).apply(x).item())
          .isCloseTo(3 * geluTanh(hidden) + 0.5, Offset.offset(1e-5));
    }
  }

  @Test
  void aProductWithItsGeluIsTheOneAndThenTheOther() {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(5)) {
      Tensor x = random.normal(2, 3, 8);
      Tensor weight = random.normal(4, 8);
      Tensor bias = random.normal(4);
      Tensor both = x.linearGeluTanh(weight, bias);
      assertThat(both.shape()).containsExactly(2, 3, 4);
      assertThat(Golden.maxDifference(both, x.linear(weight, bias).geluTanh())).isZero();
    }
  }

  private static double geluTanh(double x) {
    return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
  }

  @Test
  void geluFollowsItsFormulaEverywhere() {
    try (Scope scope = Scope.open()) {
      float[] points = new float[2001];
      for (int i = 0; i < points.length; i++) {
        points[i] = (i - 1000) / 50f;
      }
      float[] values = Tensor.of(points, points.length).geluTanh().toFloats();
      for (int i = 0; i < points.length; i++) {
        assertThat((double) values[i])
            .as("gelu(%s)", points[i])
            .isCloseTo(geluTanh(points[i]), Offset.offset(1e-6 * Math.max(1, Math.abs(points[i]))));
      }
      Tensor low = Tensor.of(points, points.length).to(DType.BFLOAT16);
      assertThat(low.geluTanh().dtype()).isEqualTo(DType.BFLOAT16);
      assertThat(Golden.relativeError(low.geluTanh(), low.to(DType.FLOAT64).geluTanh()))
          .isLessThan(2e-3);
    }
  }

  @Test
  void normsCalculateInFloat32() {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(2)) {
      Tensor x = random.normal(5, 64).mul(3).add(100).to(DType.BFLOAT16);
      Tensor weight = random.normal(64).to(DType.BFLOAT16);
      Tensor bias = random.normal(64).to(DType.BFLOAT16);
      Tensor exact = x.to(DType.FLOAT64);
      Tensor centred = exact.sub(exact.mean(true, 1));
      Tensor layer =
          centred
              .div(centred.square().mean(true, 1).add(1e-6).sqrt())
              .mul(weight.to(DType.FLOAT64))
              .add(bias.to(DType.FLOAT64));
      Tensor rms =
          exact.div(exact.square().mean(true, 1).add(1e-6).sqrt()).mul(weight.to(DType.FLOAT64));
      Tensor normed = new LayerNorm(weight, bias, 1e-6).apply(x);
      assertThat(normed.dtype()).isEqualTo(DType.FLOAT32);
      assertThat(Golden.maxDifference(normed, layer)).isLessThan(1e-4);
      assertThat(Golden.maxDifference(new RmsNorm(weight, 1e-6).apply(x), rms)).isLessThan(1e-5);
    }
  }
}
