package dev.gossamer.distributed.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Exchanges;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocalRanksTest {
  private static final Duration SHORT = Duration.ofMillis(300);

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8})
  void ranksExchangeAsTheyShould(int size) {
    AtomicInteger done = new AtomicInteger();
    LocalRanks.run(
        size,
        world -> {
          assertThat(world.size()).isEqualTo(size);
          Exchanges.allReduceSums(world);
          Exchanges.allGatherStacks(world);
          Exchanges.broadcastOverwrites(world);
          for (int round = 0; round < 20; round++) {
            Exchanges.allToAllDelivers(world, DType.FLOAT32, round);
            Exchanges.allToAllDelivers(world, DType.BFLOAT16, 100 + round);
          }
          Exchanges.exchangesOverlap(world);
          Exchanges.splitsTalkAmongThemselves(world);
          world.barrier();
          world.agree("the test", "same");
          done.incrementAndGet();
        });
    assertThat(done).hasValue(size);
  }

  @Test
  void sumsAreTheSameBitsOnEveryRank() {
    long[] bits = new long[4];
    LocalRanks.run(
        4,
        world -> {
          Tensor tensor = Tensor.full(Math.PI * Math.pow(10, world.rank()), DType.FLOAT32, 1);
          world.allReduce(tensor);
          bits[world.rank()] = Float.floatToRawIntBits(tensor.toFloats()[0]);
        });
    assertThat(bits).containsOnly(bits[0]);
  }

  @Test
  void aRankThatFailsEndsAllOthersAndIsNamed() {
    AtomicInteger ended = new AtomicInteger();
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    3,
                    world -> {
                      if (world.rank() == 1) {
                        throw new IllegalStateException("out of ideas");
                      }
                      try {
                        world.barrier();
                      } catch (CommunicationException e) {
                        assertThat(e).hasMessageContaining("Rank 1 failed: out of ideas");
                        ended.incrementAndGet();
                        throw e;
                      }
                    }))
        .isInstanceOf(CommunicationException.class)
        .hasMessageContaining("Rank 1 of 3 failed: out of ideas");
    assertThat(ended).hasValue(2);
  }

  @Test
  void aRankThatHangsIsNamedAfterThePatience() {
    CountDownLatch end = new CountDownLatch(1);
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    3,
                    SHORT,
                    world -> {
                      if (world.rank() == 2) {
                        awaitQuietly(end);
                        return;
                      }
                      try {
                        world.barrier();
                      } finally {
                        end.countDown();
                      }
                    }))
        .hasMessageContaining("all-reduce")
        .hasMessageContaining("for rank 2");
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void ranksThatMeanDifferentThingsAreTold() {
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2, world -> world.allReduce(Tensor.zeros(DType.FLOAT32, 2 + world.rank()))))
        .hasMessageContaining("[2]")
        .hasMessageContaining("[3]");
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2,
                    world -> {
                      if (world.rank() == 0) {
                        world.allReduce(Tensor.zeros(DType.FLOAT32, 2));
                      } else {
                        world.broadcast(Tensor.zeros(DType.FLOAT32, 2), 0);
                      }
                    }))
        .hasMessageContaining("all-reduce")
        .hasMessageContaining("broadcast");
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2, world -> world.agree("the configuration", "seed " + world.rank())))
        .hasMessageContaining("Rank 1 differs from rank 0 in the configuration");
  }

  @Test
  void countsThatDoNotFitAreRefusedBeforeAnythingIsSent() {
    LocalRanks.run(
        2,
        world -> {
          Tensor rows = Tensor.zeros(DType.FLOAT32, 4, 3);
          long[] two = {2, 2};
          assertRefused(() -> world.allToAll(rows, two, rows, new long[] {1, 2}), "[1, 2]");
          assertRefused(() -> world.allToAll(rows, two, rows, new long[] {5, -1}), "-1");
          assertRefused(() -> world.allToAll(rows, two, rows, new long[] {4}), "[4]");
          assertRefused(
              () -> world.allToAll(rows, two, Tensor.zeros(DType.FLOAT64, 4, 3), two), "FLOAT64");
          assertRefused(
              () -> world.allToAll(rows, two, Tensor.zeros(DType.FLOAT32, 4, 2), two), "rows of 2");
          assertRefused(
              () ->
                  world.allToAll(rows, two, Tensor.zeros(DType.FLOAT32, 3, 4).transpose(0, 1), two),
              "not contiguous");
          assertRefused(
              () -> world.allReduce(Tensor.zeros(DType.FLOAT32, 3, 4).transpose(0, 1)),
              "not contiguous");
          world.barrier();
        });
  }

  private static void assertRefused(Runnable call, String named) {
    assertThatThrownBy(call::run)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(named);
  }

  @Test
  void rowCountsThatDisagreeAreTold() {
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2,
                    world -> {
                      long[] mine = {1, 1};
                      long[] theirs = world.rank() == 0 ? new long[] {1, 2} : new long[] {1, 1};
                      int rows = world.rank() == 0 ? 3 : 2;
                      world
                          .allToAll(
                              Tensor.zeros(DType.FLOAT32, rows, 1),
                              theirs,
                              Tensor.zeros(DType.FLOAT32, 2, 1),
                              mine)
                          .await();
                    }))
        .hasMessageContaining("Rank 0 expects 2 rows of rank 1, which sends 1");
  }

  @Test
  void leavesNoTensorAndNoThreadBehind() {
    long before = Tensor.live();
    LocalRanks.run(4, Exchanges::exchangesOverlap);
    assertThat(Tensor.live()).isEqualTo(before);
  }
}
