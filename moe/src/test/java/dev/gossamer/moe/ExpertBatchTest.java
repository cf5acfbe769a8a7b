package dev.gossamer.moe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.moe.parallel.ExpertRows;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** All experts at once do what each does alone. */
class ExpertBatchTest {
  private static final int IN = 16;
  private static final int OUT = 24;
  // Two senders each; some experts have no rows, the first and the last among them.
  private static final ExpertRows ROWS =
      new ExpertRows(new int[][] {{0, 0}, {3, 2}, {0, 1}, {0, 0}, {9, 4}, {0, 0}});

  private final Scope scope = Scope.open();
  private final Generator generator = Generator.seeded(7);
  private final AllExperts all = AllExperts.of(ROWS, Device.CPU);
  private Parameter weight;
  private Parameter bias;
  private Parameter ownWeight;
  private Parameter ownBias;

  @BeforeEach
  void draw() {
    int experts = ROWS.counts().length;
    Tensor matrices = generator.normal(experts, OUT, IN);
    Tensor summands = generator.normal(experts, OUT);
    weight = Parameter.of("w", matrices, true, 0, scope);
    ownWeight = Parameter.of("w", matrices.add(0), true, 0, scope);
    bias = Parameter.of("b", summands, true, 0, scope);
    ownBias = Parameter.of("b", summands.add(0), true, 0, scope);
  }

  @AfterEach
  void close() {
    generator.close();
    scope.close();
  }

  private interface Work {
    void of(ExpertBatch batch);
  }

  private static void each(Work work) {
    int[] offsets = ROWS.offsets();
    for (int expert = 0; expert < ROWS.counts().length; expert++) {
      if (ROWS.of(expert) > 0) {
        work.of(new OneExpert(expert, 0, offsets[expert], ROWS.of(expert)));
      }
    }
  }

  private Tensor rows(int width) {
    return generator.normal(ROWS.total(), width);
  }

  private static Tensor part(Tensor rows, ExpertBatch batch) {
    return rows.narrow(0, batch.from(), batch.rows());
  }

  private static void assertClose(Tensor actual, Tensor expected) {
    assertThat(actual.shape()).isEqualTo(expected.shape());
    assertThat(actual.toFloats()).containsExactly(expected.toFloats(), offset(1e-5f));
  }

  @Test
  void multipliesRowsByTheirExperts() {
    Tensor x = rows(IN);
    Tensor into = Tensor.zeros(DType.FLOAT32, Device.CPU, ROWS.total(), OUT);
    all.productInto(into, x, weight);
    Tensor product = all.product(x, weight);
    Tensor alone = Tensor.zeros(DType.FLOAT32, Device.CPU, ROWS.total(), OUT);
    each(batch -> batch.productInto(part(alone, batch), part(x, batch), ownWeight));
    assertClose(into, alone);
    assertClose(product, alone);
    each(batch -> assertClose(batch.product(part(x, batch), ownWeight), part(product, batch)));
  }

  @Test
  void goesBackThroughThem() {
    Tensor y = rows(OUT);
    Tensor back = all.productBack(y, weight);
    Tensor sum = rows(IN);
    Tensor alone = sum.add(0);
    all.addProductBack(sum, y, weight);
    each(
        batch -> {
          assertClose(batch.productBack(part(y, batch), ownWeight), part(back, batch));
          batch.addProductBack(part(alone, batch), part(y, batch), ownWeight);
        });
    assertClose(sum, alone);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void addsGradients(int times) {
    for (int i = 0; i < times; i++) {
      Tensor x = rows(IN);
      Tensor y = rows(OUT);
      all.addGradient(weight, y, x);
      all.addBiasGradient(bias, y);
      each(
          batch -> {
            batch.addGradient(ownWeight, part(y, batch), part(x, batch));
            batch.addBiasGradient(ownBias, part(y, batch));
          });
    }
    assertClose(weight.gradient(), ownWeight.gradient());
    assertClose(bias.gradient(), ownBias.gradient());
    assertThat(weight.gradient().select(0, 0).toFloats()).containsOnly(0);
    assertThat(weight.gradient().select(0, 4).toFloats()).doesNotContain(0);
  }

  @Test
  void addsBiases() {
    Tensor y = rows(OUT);
    Tensor alone = y.add(0);
    all.addBias(y, bias);
    all.addBias(y, null);
    each(batch -> batch.addBias(part(alone, batch), ownBias));
    assertClose(y, alone);
  }

  @Test
  void areNotForTheProcessor() {
    assertThat(AllExperts.fit(weight.value())).isFalse();
  }
}
