package dev.gossamer.tensor.libtorch.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.junit.jupiter.api.Test;

class KernelArgumentsTest {
  @Test
  void eachLiesWhereItsTypeWants() {
    KernelArguments arguments =
        new KernelArguments().add(7).add(8L).add(1.5f).add(2.5).add(new byte[128]).add(9);
    assertThat(arguments.count()).isEqualTo(6);
    assertThat(arguments.offset(0)).isZero();
    assertThat(arguments.offset(1)).isEqualTo(8);
    assertThat(arguments.offset(2)).isEqualTo(16);
    assertThat(arguments.offset(3)).isEqualTo(24);
    assertThat(arguments.offset(4)).isEqualTo(64);
    assertThat(arguments.offset(5)).isEqualTo(192);
    assertThat(arguments.memory().getInt(0)).isEqualTo(7);
    assertThat(arguments.memory().getLong(8)).isEqualTo(8);
    assertThat(arguments.memory().getFloat(16)).isEqualTo(1.5f);
    assertThat(arguments.memory().getDouble(24)).isEqualTo(2.5);
    assertThat(arguments.memory().getInt(192)).isEqualTo(9);
    assertThat(arguments.memory().isDirect()).isTrue();
    assertThat(arguments.memory().alignmentOffset(0, 64)).isZero();
  }

  @Test
  void cudaIsToldWhereEachLies() {
    KernelArguments arguments = new KernelArguments();
    KernelModule.Addresses addresses = new KernelModule.Addresses();
    for (int launch = 0; launch < 2; launch++) { // the memory serves again
      arguments.clear().add(7 + launch).add(8L + launch);
      PointerPointer<Pointer> pointers = addresses.of(arguments);
      assertThat(new IntPointer(pointers.get(0)).get()).isEqualTo(7 + launch);
      assertThat(new LongPointer(pointers.get(1)).get()).isEqualTo(8 + launch);
    }
  }

  @Test
  void noMoreThanAKernelTakes() {
    KernelArguments arguments = new KernelArguments().add(new byte[4096]);
    assertThatThrownBy(() -> arguments.add(1)).isInstanceOf(IllegalArgumentException.class);
  }
}
