package dev.gossamer.tensor.libtorch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class NamedOperatorTest {
  private final NamedOperator product = new NamedOperator("aten::_addmm_activation");

  @BeforeAll
  static void boot() {
    Libtorch.boot();
  }

  @Test
  void takesTensorsNumbersAndFlags() {
    try (Tensor bias = torch.tensor(new float[] {1, -9});
        Tensor left = torch.tensor(new float[] {1, 2}).reshape(1, 2);
        Tensor right = torch.tensor(new float[] {3, 4, 5, 6}).reshape(2, 2);
        Tensor whole = product.of(bias, left, right, 1.0, 1.0, false);
        Tensor weighted = product.of(bias, left, right, 2.0, 0.5, false)) {
      assertThat(numbers(whole)).containsExactly(1 + 13, 16 - 9); // relu leaves both
      assertThat(numbers(weighted)).containsExactly(2 + 6.5f, 0);
    }
  }

  @Test
  void nullIsAnArgumentThatIsLeftOut() {
    try (Tensor x = torch.tensor(new float[] {-3, 0.5f, 7});
        Tensor clamped = new NamedOperator("aten::clamp_min").of(x, 0.0);
        Tensor logits = new NamedOperator("aten::logit").of(x, null)) {
      assertThat(numbers(clamped)).containsExactly(0, 0.5f, 7);
      assertThat(numbers(logits)[1]).isZero();
    }
  }

  @Test
  void refusesWhatNoOperatorTakes() {
    assertThatThrownBy(() -> product.of("bias"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Operator aten::_addmm_activation takes no bias");
  }

  private static float[] numbers(Tensor tensor) {
    float[] numbers = new float[(int) tensor.numel()];
    tensor.data_ptr_float().get(numbers);
    return numbers;
  }
}
