package dev.gossamer.tensor.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import org.junit.jupiter.api.Test;

class ScratchTest {
  @Test
  void partsLieBesideEachOtherWhetherOrNotTheyWereForeseen() {
    for (long foreseen : new long[] {0, 600, 4096}) {
      try (Scope scope = Scope.open()) {
        Scratch scratch = new Scratch(Device.CPU, foreseen);
        Scratch.Part shorts = scratch.take(DType.INT16, 3, 5);
        Scratch.Part floats = scratch.take(DType.FLOAT32, 2, 7);
        Scratch.Part longs = scratch.take(DType.INT64, 4);
        shorts.tensor().fill(1);
        floats.tensor().fill(2.5);
        longs.tensor().fill(3);
        assertThat(shorts.tensor().shape()).containsExactly(3, 5);
        assertThat(shorts.tensor().sum().item()).isEqualTo(15);
        assertThat(floats.tensor().sum().item()).isEqualTo(35);
        assertThat(longs.tensor().sum().item()).isEqualTo(12);
        assertThat(shorts.address() % 64).isZero();
        assertThat(shorts.addressOf(3) - shorts.address()).isEqualTo(6);
        assertThat(scratch.usedBytes()).isEqualTo(3 * 256);
      }
    }
  }

  @Test
  void aTensorIsAPartToo() {
    try (Scope scope = Scope.open()) {
      Tensor tensor = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Scratch.Part part = Scratch.of(tensor);
      assertThat(part.address()).isEqualTo(tensor.address());
      assertThat(part.size(1)).isEqualTo(3);
      assertThat(part.tensor().toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
    }
  }
}
