package dev.gossamer.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
class ResidentMemoryTest {
  private static final long MANY = 256L << 20;

  @Test
  void aTensorIsCountedWhileItIsThereAndInThePeakAfterwards() {
    ResidentMemory before = ResidentMemory.now();
    ResidentMemory with;
    try (Scope scope = Scope.open()) {
      Tensor.zeros(DType.INT64, MANY / 8).fill(1);
      with = ResidentMemory.now();
    }
    ResidentMemory after = ResidentMemory.now();
    assertThat(with.bytes()).isGreaterThan(before.bytes() + MANY / 2);
    assertThat(after.bytes()).isLessThan(with.bytes() - MANY / 2);
    assertThat(after.peakBytes()).isGreaterThan(after.bytes() + MANY / 2);
  }
}
