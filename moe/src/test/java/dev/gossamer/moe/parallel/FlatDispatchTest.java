package dev.gossamer.moe.parallel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FlatDispatchTest {
  private static final int WIDTH = 3;

  /**
   * Experts that change nothing give every token back as often as it was sent, in 1,000 routings:
   * random, of no tokens, skewed, with dropped slots.
   */
  @Test
  void rowsComeHomeToTheirTokens() {
    Random random = new Random(4);
    try (Threads threads = new Threads(1)) {
      Travel travel =
          new Travel(DType.FLOAT64, DType.FLOAT64, Device.CPU, threads, PhaseClock.of(Device.CPU));
      for (int i = 0; i < 1000; i++) {
        try (Scope scope = Scope.open()) {
          rowsComeHome(travel, random);
        }
      }
    }
  }

  private static void rowsComeHome(Travel travel, Random random) {
    int tokens = random.nextInt(20);
    int topK = 1 + random.nextInt(4);
    int experts = 1 + random.nextInt(8);
    int popular = random.nextInt(3) == 0 ? random.nextInt(experts) : -1;
    double dropped = random.nextBoolean() ? 0 : random.nextDouble();
    int[] expert = new int[tokens * topK];
    double[] x = new double[tokens * WIDTH];
    for (int i = 0; i < x.length; i++) {
      x[i] = random.nextInt(1000); // whole numbers, so that sums are exact
    }
    double[] expected = new double[x.length];
    for (int slot = 0; slot < expert.length; slot++) {
      expert[slot] =
          random.nextDouble() < dropped
              ? Routing.DROPPED
              : popular >= 0 ? popular : random.nextInt(experts);
      for (int column = 0; column < WIDTH && expert[slot] != Routing.DROPPED; column++) {
        expected[slot / topK * WIDTH + column] += x[slot / topK * WIDTH + column];
      }
    }
    Routing routing = new Routing(tokens, topK, experts, expert);
    FlatDispatch way =
        new FlatDispatch(
            RowCarrier.inOneStep(LocalRanks.alone()),
            travel,
            routing,
            Tensor.full(1, DType.FLOAT64, tokens, topK),
            new int[][] {routing.counts()},
            ExpertPlacement.even(experts, 1));
    way.depart(Tensor.of(x, tokens, WIDTH));
    RowView rows = way.arrive();
    RowView results = way.room();
    int total = way.expertRows().total();
    results.write(0, rows.read(0, total));
    way.giveBack(results);
    assertThat(way.combined().toDoubles()).isEqualTo(expected);
    // The same way back: every token gets the sum of what its slots are given.
    way.departBack(Tensor.of(x, tokens, WIDTH));
    RowView gradients = way.arriveBack();
    RowView room = way.room();
    room.write(0, gradients.read(0, total));
    way.giveBack(room);
    assertThat(way.gradients().ofTokens().toDoubles()).isEqualTo(expected);
  }
}
