package dev.gossamer.attention.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.clusters.ClusterLayout;
import dev.gossamer.attention.clusters.QueryGroups;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Layouts and groups of all heads at once are those of each head alone. */
class HeadLayoutsTest {
  private static final int HEADS = 3;
  private static final int TOKENS = 777;
  private static final int CLUSTERS = 40;

  private final int[][] labels = labels();

  private static int[][] labels() {
    Random random = new Random(4);
    int[][] labels = new int[HEADS][TOKENS];
    for (int head = 0; head < HEADS; head++) {
      for (int token = 0; token < TOKENS; token++) {
        // Uneven, some empty; the last head has all tokens in one cluster.
        double x = random.nextDouble();
        labels[head][token] = head == 2 ? 7 : (int) (x * x * (CLUSTERS - 3));
      }
    }
    return labels;
  }

  private HeadLayouts layouts() {
    int[] flat = Arrays.stream(labels).flatMapToInt(Arrays::stream).toArray();
    return HeadLayouts.of(Tensor.of(flat, HEADS, TOKENS).to(DType.INT64), CLUSTERS);
  }

  @Test
  void sortsAsOneHeadDoes() {
    try (Scope scope = Scope.open()) {
      HeadLayouts layouts = layouts();
      for (int head = 0; head < HEADS; head++) {
        ClusterLayout plain = ClusterLayout.of(labels[head], CLUSTERS);
        assertThat(layouts.order().select(0, head).toLongs()).isEqualTo(plain.order().toLongs());
        assertThat(layouts.sorted().select(0, head).toLongs())
            .isEqualTo(plain.sortedLabels().toLongs());
        long[] offsets = layouts.offsets().select(0, head).toLongs();
        for (int cluster = 0; cluster <= CLUSTERS; cluster++) {
          assertThat(offsets[cluster]).isEqualTo(plain.start(cluster));
        }
        assertThat(layouts.nonEmpty().select(0, head).item()).isEqualTo(plain.nonEmpty());
      }
    }
  }

  @Test
  void cutsAsOneHeadDoes() {
    try (Scope scope = Scope.open()) {
      for (int most : new int[] {1, 16, 96, 1000}) {
        HeadGroups groups = HeadGroups.clusters(layouts()).cuts(most);
        for (int head = 0; head < HEADS; head++) {
          ClusterLayout layout = ClusterLayout.of(labels[head], CLUSTERS);
          QueryGroups plain = QueryGroups.cuts(layout, most);
          long[] offsets = groups.offsets().select(0, head).toLongs();
          long[] owners = groups.owners().select(0, head).toLongs();
          assertThat(offsets.length).isGreaterThan(plain.count());
          for (int group = 0; group < plain.count(); group++) {
            assertThat(offsets[group]).isEqualTo(plain.start(group));
            assertThat(layout.start((int) owners[group])).isLessThanOrEqualTo(plain.start(group));
          }
          for (int behind = plain.count(); behind < offsets.length; behind++) {
            assertThat(offsets[behind]).isEqualTo(TOKENS);
          }
        }
      }
    }
  }

  @Test
  void sumsRunInTokenOrder() {
    try (Scope scope = Scope.open()) {
      HeadLayouts layouts = layouts();
      Tensor rows = Tensor.arange(HEADS * TOKENS, DType.FLOAT32, rows().device());
      float[] sums = layouts.sums(rows.reshape(HEADS, TOKENS, 1)).toFloats();
      for (int head = 0; head < HEADS; head++) {
        float[] expected = new float[CLUSTERS];
        for (int token = 0; token < TOKENS; token++) {
          expected[labels[head][token]] += head * TOKENS + token;
        }
        assertThat(Arrays.copyOfRange(sums, head * CLUSTERS, (head + 1) * CLUSTERS))
            .isEqualTo(expected);
      }
    }
  }

  private static Tensor rows() {
    return Tensor.zeros(DType.FLOAT32, 1);
  }

  @Test
  void selectionBitsAreReadWithTheirSign() {
    try (Scope scope = Scope.open()) {
      int[] words = {0b1011, 0x80000000, -1, 0};
      boolean[] expected = new boolean[2 * 60];
      for (int row = 0; row < 2; row++) {
        for (int cluster = 0; cluster < 60; cluster++) {
          expected[row * 60 + cluster] =
              (words[2 * row + cluster / 32] >>> (cluster % 32) & 1) == 1;
        }
      }
      int[] read = SelectionBits.unpacked(Tensor.of(words, 2, 2), 60).toInts();
      for (int i = 0; i < expected.length; i++) {
        assertThat(read[i]).as("bit " + i).isEqualTo(expected[i] ? 1 : 0);
      }
    }
  }
}
