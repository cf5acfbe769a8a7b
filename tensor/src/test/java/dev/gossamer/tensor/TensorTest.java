package dev.gossamer.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.tensor.failure.GossamerException;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorTest {
  @Test
  void multipliesMatrices() {
    try (Scope scope = Scope.open()) {
      Tensor a = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Tensor b = Tensor.of(new float[] {1, 0, 0, 1, 1, 1}, 3, 2);
      assertThat(a.matmul(b).toFloats()).containsExactly(4, 5, 10, 11);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "BFLOAT16"})
  void multipliesGroupsOfRows(DType dtype) {
    int[] ends = {3, 3, 4, 11}; // 3, 0, 1 and 7 rows
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(5)) {
      Tensor rows = generator.normal(11, 16).to(dtype);
      Tensor matrices = generator.normal(4, 24, 16).to(dtype);
      Tensor end = Tensor.of(ends, 4);
      Tensor product = rows.groupedMatmul(matrices.transpose(1, 2), end);
      Tensor back = product.transpose(0, 1).groupedMatmul(rows, end);
      assertThat(back.shape()).containsExactly(4, 24, 16);
      for (int group = 0; group < 4; group++) {
        int from = group == 0 ? 0 : ends[group - 1];
        Tensor own = rows.narrow(0, from, ends[group] - from);
        Tensor out = product.narrow(0, from, ends[group] - from);
        assertSame(out, own.matmul(matrices.select(0, group).transpose(0, 1)));
        assertSame(back.select(0, group), out.transpose(0, 1).matmul(own));
      }
    }
  }

  @Test
  void makesAndReadsEmptyTensors() {
    try (Scope scope = Scope.open()) {
      assertThat(Tensor.of(new float[0], 0, 3).toFloats()).isEmpty();
      assertThat(Tensor.of(new double[0], 0).toDoubles()).isEmpty();
      assertThat(Tensor.of(new long[0], 2, 0).toLongs()).isEmpty();
      assertThat(Tensor.of(new int[0], 0).toInts()).isEmpty();
    }
  }

  @Test
  void takesTheLargestOfRows() {
    try (Scope scope = Scope.open()) {
      Tensor rows = Tensor.of(new float[] {1, 9, -3, 4, 5, -6}, 3, 2);
      Tensor index = Tensor.of(new long[] {2, 0, 1, 1}, 4);
      Tensor starts = Tensor.of(new long[] {0, 2, 2}, 3);
      assertThat(rows.maxRows(index, starts).toFloats()).containsExactly(5, 9, 0, 0, -3, 4);
    }
  }

  @Test
  void countsWhatIsBelow() {
    try (Scope scope = Scope.open()) {
      Tensor sorted = Tensor.of(new long[] {1, 3, 3, 7, 0, 0, 2, 2}, 2, 4);
      Tensor numbers = Tensor.of(new long[] {3, 8, 0, 2}, 2, 2);
      assertThat(sorted.countBelow(numbers, false).toLongs()).containsExactly(1, 4, 0, 2);
      assertThat(sorted.countBelow(numbers, true).toLongs()).containsExactly(3, 4, 2, 4);
    }
  }

  @Test
  void knowsItsStrides() {
    try (Scope scope = Scope.open()) {
      Tensor view = Tensor.arange(24, DType.FLOAT32, Device.CPU).reshape(2, 3, 4).transpose(0, 2);
      assertThat(view.stride(0)).isEqualTo(1);
      assertThat(view.stride(-1)).isEqualTo(12);
      assertThat(view.narrow(1, 1, 1).firstAddress()).isEqualTo(view.firstAddress() + 4 * 4);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT64", "BFLOAT16"})
  void sumsRows(DType dtype) {
    try (Scope scope = Scope.open()) {
      Tensor rows = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 3, 2).to(dtype);
      Tensor index = Tensor.of(new long[] {2, 0, 1, 1}, 4);
      Tensor starts = Tensor.of(new long[] {0, 2, 2}, 3);
      Tensor weights = Tensor.of(new float[] {1, .5f, 2, -1}, 4).to(dtype);
      assertThat(rows.sumRows(index, starts, null).toFloats()).containsExactly(6, 8, 0, 0, 6, 8);
      assertThat(rows.sumRows(index, starts, weights).toFloats())
          .containsExactly(5.5f, 7, 0, 0, 3, 4);
      Tensor none = Tensor.of(new long[0], 0);
      assertThat(rows.sumRows(none, Tensor.of(new long[] {0, 0}, 2), null).toFloats())
          .containsExactly(0, 0, 0, 0);
      assertThatThrownBy(() -> rows.sumRows(Tensor.of(new long[] {3}, 1), starts, null))
          .isInstanceOf(GossamerException.class);
    }
  }

  @Test
  void readsViewsRowByRow() {
    try (Scope scope = Scope.open()) {
      Tensor a = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      assertThat(a.transpose(0, 1).toFloats()).containsExactly(1, 4, 2, 5, 3, 6);
      assertThat(a.every(1, 1, 2).toFloats()).containsExactly(2, 5);
    }
  }

  @Test
  void convertsTypes() {
    try (Scope scope = Scope.open()) {
      Tensor a = Tensor.of(new float[] {1.5f, -2.25f}, 2);
      assertThat(a.to(DType.BFLOAT16).dtype()).isEqualTo(DType.BFLOAT16);
      assertThat(a.to(DType.BFLOAT16).toFloats()).containsExactly(1.5f, -2.25f);
      assertThat(a.to(DType.INT64).toLongs()).containsExactly(1, -2);
      assertThat(a.gt(-3).all().isTrue()).isTrue();
      assertThat(a.gt(0).all().isTrue()).isFalse();
    }
  }

  /** Also where the processor has no such products, which is when they are easily got wrong. */
  @ParameterizedTest
  @EnumSource(names = {"BFLOAT16", "FLOAT16"})
  void productsOfHalfWidthAreThoseOfFloat32RoundedOnce(DType half) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(1)) {
      Tensor x = generator.normal(5, 48).to(half);
      Tensor weight = generator.normal(7, 48).to(half);
      Tensor bias = generator.normal(7).to(half);
      Tensor image = generator.normal(1, 3, 4, 6, 6).to(half);
      Tensor kernel = generator.normal(2, 3, 3, 3, 3).to(half);
      long[] ones = {1, 1, 1};
      Tensor out = Tensor.empty(half, 5, 7);
      Tensor.matmulInto(out, x, weight.transpose(0, 1));
      DType wide = DType.FLOAT32;
      assertClose(out, x.to(wide).matmul(weight.to(wide).transpose(0, 1)));
      assertClose(x.matmul(weight.transpose(0, 1)), out.to(wide));
      assertClose(x.linear(weight, bias), x.to(wide).linear(weight.to(wide), bias.to(wide)));
      assertClose(
          image.conv3d(kernel, null, ones, ones),
          image.to(wide).conv3d(kernel.to(wide), null, ones, ones));
      assertClose(
          image
              .select(2, 0)
              .conv2d(kernel.select(2, 0), null, new long[] {1, 1}, new long[] {1, 1}),
          image
              .select(2, 0)
              .to(wide)
              .conv2d(kernel.select(2, 0).to(wide), null, new long[] {1, 1}, new long[] {1, 1}));
    }
  }

  /** But for the order of sums. */
  private static void assertSame(Tensor one, Tensor other) {
    float share = one.dtype() == DType.BFLOAT16 ? 1f / 128 : 1e-5f;
    float[] expected = other.toFloats();
    float[] values = one.toFloats();
    assertThat(values).hasSameSizeAs(expected);
    for (int i = 0; i < values.length; i++) {
      assertThat(values[i]).isCloseTo(expected[i], offset(share * (1 + Math.abs(expected[i]))));
    }
  }

  private static void assertClose(Tensor half, Tensor exact) {
    assertThat(half.dtype().bytes()).isEqualTo(2);
    float[] values = half.toFloats();
    float[] expected = exact.toFloats();
    for (int i = 0; i < values.length; i++) {
      // One unit of bf16's last place, for sums that land just beside a middle.
      assertThat(values[i]).isCloseTo(expected[i], offset(1e-3f + Math.abs(expected[i]) / 128));
    }
  }

  @Test
  void namesTheOperationThatFailed() {
    try (Scope scope = Scope.open()) {
      Tensor a = Tensor.zeros(DType.FLOAT32, 2, 3);
      assertThatThrownBy(() -> a.matmul(a))
          .isInstanceOf(GossamerException.class)
          .hasMessageContaining("matmul")
          .hasMessageNotContaining("\n");
    }
  }

  @Test
  void refusesUseAfterItsScopeClosed() {
    Tensor escaped;
    try (Scope scope = Scope.open()) {
      escaped = Tensor.zeros(DType.FLOAT32, 2);
    }
    assertThatThrownBy(escaped::toFloats)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("freed");
  }

  @Test
  void refusesResultsThatNobodyOwns() {
    assertThatThrownBy(() -> Tensor.zeros(DType.FLOAT32, 2))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("No Scope");
  }

  @Test
  void keepsWhatIsHandedToTheOuterScope() {
    long before = Tensor.live();
    try (Scope outer = Scope.open()) {
      Tensor kept;
      try (Scope inner = Scope.open()) {
        Tensor.zeros(DType.FLOAT32, 100);
        kept = inner.keep(Tensor.full(3, DType.FLOAT32, 2));
      }
      assertThat(Tensor.live()).isEqualTo(before + 1);
      assertThat(kept.toFloats()).containsExactly(3, 3);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void detachedScopesHoldTensorsAcrossThreadsAndCalls() {
    long before = Tensor.live();
    try (Scope longLived = Scope.detached()) {
      Tensor weight;
      try (Scope scope = Scope.open()) {
        weight = longLived.adopt(Tensor.full(2, DType.FLOAT32, 3));
      }
      try (Scope scope = Scope.open()) {
        assertThat(weight.sum().item()).isEqualTo(6);
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void aViewKeepsTheMemoryUnderItAlive() throws InterruptedException {
    ReferenceQueue<ByteBuffer> collected = new ReferenceQueue<>();
    List<WeakReference<ByteBuffer>> buffers = new ArrayList<>();
    List<Tensor> views = new ArrayList<>();
    try (Scope longLived = Scope.detached()) {
      for (int i = 0; i < 2; i++) {
        try (Scope scope = Scope.open()) {
          ByteBuffer memory = ByteBuffer.allocateDirect(64);
          buffers.add(new WeakReference<>(memory, collected));
          views.add(longLived.adopt(Tensor.over(memory, DType.FLOAT32, 16).narrow(0, 4, 8)));
        }
      }
      views.get(0).close();
      System.gc();
      assertThat(collected.remove(10_000)).isSameAs(buffers.get(0));
      assertThat(buffers.get(1).get()).isNotNull();
      assertThat(views.get(1).toFloats()).containsOnly(0);
    }
    System.gc();
    assertThat(collected.remove(10_000)).isSameAs(buffers.get(1));
  }

  @Test
  void drawsWhatTheSeedSays() {
    try (Scope scope = Scope.open();
        Generator a = Generator.seeded(42);
        Generator b = Generator.seeded(42);
        Generator c = Generator.named("k-means", 42)) {
      float[] first = a.normal(8).toFloats();
      assertThat(b.normal(8).toFloats()).containsExactly(first);
      assertThat(c.normal(8).toFloats()).isNotEqualTo(first);
    }
  }

  @Test
  void sharesWorkBetweenThreadsAndReportsTheFirstFailure() {
    try (Threads threads = new Threads(3);
        Scope scope = Scope.open()) {
      Tensor sums = Tensor.zeros(DType.FLOAT32, 50);
      threads.forEach(
          50,
          i ->
              threads.forEach(
                  2, half -> sums.narrow(0, i, 1).copyFrom(Tensor.full(i, DType.FLOAT32, 1))));
      assertThat(sums.sum().item()).isEqualTo(49 * 50 / 2);
      assertThatThrownBy(
              () ->
                  threads.forEach(
                      8,
                      i -> {
                        throw new GossamerException("item failed", "");
                      }))
          .hasMessageContaining("item failed");
    }
  }

  @Test
  void freesWhatItMakesInALongLoop() {
    long before = Tensor.live();
    for (int i = 0; i < 200; i++) {
      try (Scope scope = Scope.open()) {
        Tensor a = Tensor.full(i, DType.FLOAT32, 16, 16);
        a.matmul(a).softmax(-1).addInPlace(1).argsort(-1, true);
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void rotatesPairsLikeComplexNumbers() {
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.of(new float[] {1, 2, 3, 4}, 2, 2);
      Tensor table = Tensor.of(new float[] {0, 1}, 1, 2);
      assertThat(x.rotatePairs(table).toFloats()).containsExactly(-2, 1, -4, 3);
      assertThat(x.toFloats()).containsExactly(1, 2, 3, 4);
    }
  }

  @Test
  void viewsKeepForeignMemoryAlive() {
    try (Scope outer = Scope.open()) {
      List<WeakReference<ByteBuffer>> memory = new ArrayList<>();
      List<Tensor> views = new ArrayList<>();
      for (UnaryOperator<Tensor> view :
          List.<UnaryOperator<Tensor>>of(
              x -> x.to(DType.FLOAT32),
              x -> x.to(Device.CPU),
              x -> x.reshape(2, 2),
              x -> x.narrow(0, 0, 4),
              x -> x.unsqueeze(0).transpose(0, 1),
              x -> x.expand(3, 4).select(0, 1),
              Tensor::contiguous)) {
        views.add(viewOverForeignMemory(outer, view, memory));
      }
      System.gc();
      assertThat(memory).allSatisfy(reference -> assertThat(reference.get()).isNotNull());
      assertThat(views).allSatisfy(view -> assertThat(view.toFloats()).contains(7));
    }
  }

  /** Nobody but the view refers to the memory when this returns. */
  private static Tensor viewOverForeignMemory(
      Scope outer, UnaryOperator<Tensor> view, List<WeakReference<ByteBuffer>> memory) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder());
    buffer.putFloat(4, 7);
    memory.add(new WeakReference<>(buffer));
    try (Scope scope = Scope.open()) {
      return outer.adopt(view.apply(Tensor.over(buffer, DType.FLOAT32, 4)));
    }
  }
}
