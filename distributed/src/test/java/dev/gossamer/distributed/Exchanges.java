package dev.gossamer.distributed;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;

/** What every transport must do, as one rank sees it. */
public final class Exchanges {
  private Exchanges() {}

  public static void allReduceSums(Communicator world) {
    Tensor tensor = Tensor.of(new float[] {world.rank(), 1, 0.5f}, 3);
    world.allReduce(tensor);
    int size = world.size();
    assertThat(tensor.toFloats()).containsExactly(size * (size - 1) / 2f, size, size / 2f);
    Tensor whole = Tensor.of(new long[] {world.rank(), 7}, 2);
    world.allReduce(whole, Reduction.MAXIMUM);
    assertThat(whole.toLongs()).containsExactly(size - 1, 7);
  }

  public static void allGatherStacks(Communicator world) {
    Tensor mine = Tensor.full(world.rank(), DType.FLOAT64, 2, 3);
    Tensor all = world.allGather(mine);
    assertThat(all.shape()).containsExactly(world.size(), 2, 3);
    double[] expected = new double[world.size() * 6];
    Arrays.setAll(expected, i -> i / 6);
    assertThat(all.toDoubles()).containsExactly(expected);
  }

  public static void broadcastOverwrites(Communicator world) {
    int root = world.size() - 1;
    Tensor tensor = Tensor.full(world.rank(), DType.BFLOAT16, 5);
    world.broadcast(tensor, root);
    assertThat(tensor.toFloats()).containsOnly(root);
  }

  /** Rows that name sender, receiver and number arrive where they belong, also when none do. */
  public static void allToAllDelivers(Communicator world, DType dtype, long seed) {
    int size = world.size();
    long[][] counts = new long[size][size];
    Random random = new Random(seed); // the same on all ranks
    for (long[] row : counts) {
      Arrays.setAll(row, peer -> random.nextInt(3) == 0 ? 0 : random.nextInt(5));
    }
    int rank = world.rank();
    long[] sentRows = counts[rank];
    long[] receivedRows = new long[size];
    Arrays.setAll(receivedRows, peer -> counts[peer][rank]);
    float[] sent = rows(sentRows, (peer, row) -> 100 * rank + 10 * peer + row);
    float[] expected = rows(receivedRows, (peer, row) -> 100 * peer + 10 * rank + row);
    Tensor from = Tensor.of(sent, sent.length / 3, 3).to(dtype);
    Tensor into = Tensor.zeros(dtype, expected.length / 3, 3);
    Traffic before = world.traffic();
    world.allToAll(into, receivedRows, from, sentRows).await();
    assertThat(into.toFloats())
        .containsExactly(Tensor.of(expected, expected.length).to(dtype).toFloats());
    long[] bytes = Arrays.stream(sentRows).map(count -> count * 3 * dtype.bytes()).toArray();
    assertThat(world.traffic().since(before).sent()).containsExactly(bytes);
  }

  private interface Value {
    int of(int peer, int row);
  }

  private static float[] rows(long[] counts, Value value) {
    float[] rows = new float[(int) Arrays.stream(counts).sum() * 3];
    int at = 0;
    for (int peer = 0; peer < counts.length; peer++) {
      for (int row = 0; row < counts[peer]; row++) {
        for (int column = 0; column < 3; column++) {
          rows[at++] = value.of(peer, row) + column / 4f;
        }
      }
    }
    return rows;
  }

  /** Several exchanges under way at once end in the order in which they began. */
  public static void exchangesOverlap(Communicator world) {
    int size = world.size();
    long[] ones = new long[size];
    Arrays.fill(ones, 1);
    Pending[] pending = new Pending[4];
    Tensor[] received = new Tensor[4];
    Tensor[] sent = new Tensor[4];
    for (int i = 0; i < 4; i++) {
      sent[i] = Tensor.full(10 * i + world.rank(), DType.FLOAT32, size, 2);
      received[i] = Tensor.zeros(DType.FLOAT32, size, 2);
      pending[i] = world.allToAll(received[i], ones, sent[i], ones);
    }
    for (int i = 0; i < 4; i++) {
      pending[i].await();
      for (int peer = 0; peer < size; peer++) {
        assertThat(received[i].select(0, peer).toFloats()).containsOnly(10 * i + peer);
      }
    }
  }

  /** Odd and even ranks talk among themselves, and the world still talks afterwards. */
  public static void splitsTalkAmongThemselves(Communicator world) {
    try (Communicator half = world.split(world.rank() % 2)) {
      assertThat(half.rank()).isEqualTo(world.rank() / 2);
      Tensor ranks = half.allGather(Tensor.of(new long[] {world.rank()}, 1));
      long[] expected = new long[half.size()];
      Arrays.setAll(expected, i -> 2 * i + world.rank() % 2);
      assertThat(ranks.toLongs()).containsExactly(expected);
    }
    allReduceSums(world);
  }
}
