package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HeadProjectionsTest {
  private static final int HEADS = 3;
  private static final int HEAD_DIM = 8;
  private static final int WIDTH = HEADS * HEAD_DIM;
  private static final int TOKENS = 7;

  private final Scope scope = Scope.open();
  private final Generator random = Generator.seeded(4);
  private final Tensor rows = random.normal(1, TOKENS, WIDTH);
  private final Tensor table = new RotaryEmbedding(10_000, List.of(HEAD_DIM)).table(Device.CPU, 7);

  @AfterEach
  void close() {
    random.close();
    scope.close();
  }

  @Test
  void aNormOfTheWholeWidthLooksAtAllHeads() {
    RmsNorm norm = new RmsNorm(random.normal(WIDTH), 1e-6);
    HeadProjections projections = projections(norm);
    Tensor projected = projections.toQuery().apply(rows).to(DType.FLOAT64);
    Tensor normed =
        projected
            .div(projected.square().mean(true, 2).add(1e-6).sqrt())
            .mul(norm.weight().to(DType.FLOAT64));
    AttentionHeads heads = projected(projections, Optional.empty());
    assertThat(Golden.maxDifference(heads.query(), laidOut(normed))).isLessThan(1e-5);
  }

  @Test
  void aNormOfAHeadLooksAtThatHeadOnly() {
    LayerNorm norm = new LayerNorm(random.normal(HEAD_DIM), random.normal(HEAD_DIM), 1e-6);
    HeadProjections projections = projections(norm);
    Tensor split =
        projections.toQuery().apply(rows).to(DType.FLOAT64).reshape(1, TOKENS, HEADS, HEAD_DIM);
    Tensor centred = split.sub(split.mean(true, 3));
    Tensor normed =
        centred
            .div(centred.square().mean(true, 3).add(1e-6).sqrt())
            .mul(norm.weight().to(DType.FLOAT64))
            .add(norm.bias().to(DType.FLOAT64));
    AttentionHeads heads = projected(projections, Optional.empty());
    assertThat(Golden.maxDifference(heads.query(), normed.transpose(1, 2))).isLessThan(1e-5);
  }

  @Test
  void queriesAndKeysTurnAndValuesStayAsTheyAre() {
    HeadProjections projections = projections(new RmsNorm(random.normal(HEAD_DIM), 1e-6));
    AttentionHeads still = projected(projections, Optional.empty());
    AttentionHeads turned = projected(projections, Optional.of(table));
    Tensor value = laidOut(projections.toValue().apply(rows));
    assertThat(Golden.maxDifference(turned.value(), value)).isZero();
    assertThat(Golden.maxDifference(turned.query(), rotated(still.query()))).isLessThan(1e-6);
    assertThat(Golden.maxDifference(turned.key(), rotated(still.key()))).isLessThan(1e-6);
    assertThat(Golden.maxDifference(turned.key(), still.key())).isGreaterThan(0.1);
  }

  /** Two runs, the second first. */
  private AttentionHeads projected(HeadProjections projections, Optional<Tensor> rotation) {
    AttentionHeads heads = projections.room(rows);
    for (int[] run : new int[][] {{4, 3}, {0, 4}}) {
      projections.project(
          rows.narrow(1, run[0], run[1]),
          rotation.map(all -> all.narrow(0, run[0], run[1])),
          heads,
          run[0]);
    }
    return heads;
  }

  private HeadProjections projections(Norm norm) {
    return new HeadProjections(HEADS, linear(), linear(), linear(), norm, norm);
  }

  private Linear linear() {
    return Linear.of(random.normal(WIDTH, WIDTH), random.normal(WIDTH));
  }

  private static Tensor laidOut(Tensor rows) {
    return rows.reshape(1, TOKENS, HEADS, HEAD_DIM).transpose(1, 2);
  }

  private Tensor rotated(Tensor heads) {
    return RotaryEmbedding.rotate(heads.transpose(1, 2), table).transpose(1, 2);
  }
}
