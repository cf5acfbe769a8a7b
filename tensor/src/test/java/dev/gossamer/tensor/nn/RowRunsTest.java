package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowRunsTest {
  @Test
  void coversEveryTokenOnceInOrder() {
    List<String> seen = new ArrayList<>();
    new RowRuns(4).forEach(10, (start, rows) -> seen.add(start + "+" + rows));
    assertThat(seen).containsExactly("0+4", "4+4", "8+2");
  }

  @Test
  void freesEachRunsTensorsBeforeTheNext() {
    long before = Tensor.live();
    List<Long> live = new ArrayList<>();
    try (Scope scope = Scope.open()) {
      new RowRuns(1)
          .forEach(
              3,
              (start, rows) -> {
                Tensor.zeros(DType.FLOAT32, 8);
                live.add(Tensor.live() - before);
              });
    }
    assertThat(live).containsExactly(1L, 1L, 1L);
  }

  @Test
  void boundsTheMemoryOfARun() {
    assertThat(RowRuns.of(Device.CPU, 768).rows()).isEqualTo(512);
    assertThat(RowRuns.of(Device.CPU, 13824).rows()).isEqualTo(256);
    assertThat(RowRuns.of(Device.of("cuda"), 13824).rows()).isEqualTo(9709);
  }
}
