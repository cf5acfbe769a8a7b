package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Golden embeddings, Wan's parts: head 128, theta 10000. */
class RotaryEmbeddingTest {
  private static final double TOLERANCE = 2e-6;
  private static final List<Integer> WAN = List.of(44, 42, 42);

  private final Golden golden = Golden.open("/goldens/embeddings/io.safetensors");

  private static void assertTable(Tensor table, Tensor cos, Tensor sin) {
    assertThat(Golden.maxDifference(table.every(1, 0, 2), cos.every(1, 0, 2)))
        .isLessThan(TOLERANCE);
    assertThat(Golden.maxDifference(table.every(1, 1, 2), sin.every(1, 1, 2)))
        .isLessThan(TOLERANCE);
  }

  @Test
  void laysAGridOutRowByRow() {
    try (Scope scope = Scope.open()) {
      assertTable(
          new RotaryEmbedding(10_000, WAN).table(Device.CPU, 2, 3, 4),
          golden.tensor("wan128_grid_2x3x4_cos"),
          golden.tensor("wan128_grid_2x3x4_sin"));
    }
  }

  @Test
  void staysExactAtFarPositions() {
    try (Scope scope = Scope.open()) {
      Tensor positions = golden.tensor("wan128_positions");
      long from = 0;
      for (int part : WAN) {
        Tensor table = new RotaryEmbedding(10_000, List.of(part)).table(Device.CPU, 1024);
        assertTable(
            table.indexSelect(0, positions),
            golden.tensor("wan128_cos").narrow(1, from, part),
            golden.tensor("wan128_sin").narrow(1, from, part));
        from += part;
      }
    }
  }

  @Test
  void turnsPairs() {
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 1, 1, 2, 4);
      float c = (float) Math.cos(0.5);
      float s = (float) Math.sin(0.5);
      Tensor turned = RotaryEmbedding.rotate(x, Tensor.of(new float[] {c, s, 0, 1}, 1, 4));
      float[] expected = {c - 2 * s, s + 2 * c, -4, 3, 5 * c - 6 * s, 5 * s + 6 * c, -8, 7};
      assertThat(turned.toFloats()).containsExactly(expected, Offset.offset(1e-6f));
    }
  }

  @Test
  void leavesDistancesBetweenPositionsInTheProduct() {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(5)) {
      Tensor table = new RotaryEmbedding(10_000, List.of(16)).table(Device.CPU, 40);
      Tensor query = random.normal(1, 1, 1, 16);
      Tensor key = random.normal(1, 1, 1, 16);
      double near = product(query, key, table, 3, 7);
      assertThat(product(query, key, table, 30, 34)).isCloseTo(near, Offset.offset(1e-5));
      assertThat(product(query, key, table, 30, 35)).isNotCloseTo(near, Offset.offset(1e-3));
    }
  }

  private static double product(Tensor query, Tensor key, Tensor table, long at, long from) {
    return RotaryEmbedding.rotate(query, table.narrow(0, at, 1))
        .mul(RotaryEmbedding.rotate(key, table.narrow(0, from, 1)))
        .sum()
        .item();
  }

  @Test
  void refusesOddParts() {
    assertThatThrownBy(() -> new RotaryEmbedding(10_000, List.of(44, 41)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
