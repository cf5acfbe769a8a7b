package dev.gossamer.tensor.libtorch;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;

class TorchTensorTest {
  private static final int FLOAT = 6;

  @Test
  void leavesNoNativeObjectBehind() {
    try (TorchTensor x = full(2, 4);
        TorchTensor row = full(4);
        TorchTensor image = full(1, 4, 3, 3);
        TorchTensor kernel = full(4, 4, 1, 1);
        TorchTensor heads = full(1, 1, 2, 4);
        TorchTensor scores = full(1, 1, 2, 2)) {
      Runnable all =
          () -> {
            x.linear(x, null).close();
            x.geluTanh().close();
            x.rotatePairs(x).close();
            x.layerNorm(row, row, 1e-6).close();
            x.rmsNorm(row, 1e-6).close();
            x.clamp(0, 1).close();
            x.toDevice("cpu").close();
            image.groupNorm(2, row, row, 1e-6).close();
            image.conv2d(kernel, row, new long[] {1, 1}, new long[] {0, 0}).close();
            heads.scaledDotProductAttention(heads, heads, scores, 1).close();
          };
      all.run();
      long before = Pointer.totalCount();
      for (int i = 0; i < 10; i++) {
        all.run();
      }
      assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
    }
  }

  private static TorchTensor full(long... shape) {
    return TorchTensor.full(shape, 0.5, FLOAT, "cpu");
  }
}
