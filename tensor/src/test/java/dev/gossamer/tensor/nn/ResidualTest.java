package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ResidualTest {
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "BFLOAT16"})
  void addsWhatTheGateLetsThroughAndNormalisesTheSum(DType dtype) {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(3)) {
      Tensor x = random.normal(1, 5, 16);
      Tensor y = random.normal(1, 5, 16).to(dtype);
      Tensor gate = random.normal(1, 16);
      LayerNorm norm = new LayerNorm(random.normal(16), random.normal(16), 1e-6);
      Tensor gated = x.to(DType.FLOAT64).add(y.to(DType.FLOAT64).mul(gate.to(DType.FLOAT64)));
      Tensor twice = gated.add(y.to(DType.FLOAT64));
      Residual run = new Residual(x);

      Tensor first = run.addThenNorm(y, gate, norm, dtype);
      assertThat(Golden.maxDifference(x, gated)).isLessThan(1e-5);
      assertThat(first.dtype()).isEqualTo(dtype);
      assertThat(Golden.relativeError(first, norm.apply(gated))).isLessThan(limit(dtype));

      Tensor second = run.addThenNorm(y, norm, dtype);
      assertThat(Golden.maxDifference(x, twice)).isLessThan(1e-5);
      assertThat(Golden.relativeError(second, norm.apply(twice))).isLessThan(limit(dtype));

      run.add(y, gate.neg());
      Tensor ungated = twice.sub(y.to(DType.FLOAT64).mul(gate.to(DType.FLOAT64)));
      assertThat(Golden.maxDifference(x, ungated)).isLessThan(1e-5);
    }
  }

  private static double limit(DType dtype) {
    return dtype == DType.FLOAT32 ? 1e-6 : 3e-3;
  }
}
