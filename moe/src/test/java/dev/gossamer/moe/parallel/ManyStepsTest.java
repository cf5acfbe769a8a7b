package dev.gossamer.moe.parallel;

import static dev.gossamer.moe.parallel.ParallelSettings.DEFAULT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Transport;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.ExpertGroups;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Training over ranks: as on one rank, the same on every run, whoever waits for whom. */
class ManyStepsTest {
  private static final int SEQUENCES = 4; // of a step, whatever the number of ranks
  private static final int TOKENS = 11;
  private static final int HIDDEN = 16;
  private static final int EXPERTS = 6;
  private static final MoeSettings SETTINGS =
      MoeSettings.of(new MoeStructure.BigMac(HIDDEN, 4, EXPERTS, 3, 10, ExpertBody.PLAIN))
          .withRouter(RouterSettings.DEFAULT.withScope(RouterSettings.Scope.SEQUENCE))
          .withShared(8);

  /** What ranks talk over. */
  private interface Wrapping {
    Communicator of(Communicator world);
  }

  /** Every weight after some steps of gradient descent, experts one by one. */
  private static Map<String, double[]> trained(
      int ranks, int steps, ParallelSettings ways, Wrapping wrapping) {
    Map<String, double[]> weights = new ConcurrentSkipListMap<>();
    LocalRanks.run(
        ranks,
        bare -> {
          Communicator world = wrapping.of(bare);
          try (Threads threads = new Threads(1);
              RankGrid grid = RankGrid.of(world, ranks == 4 ? 2 : 1);
              ExpertGroups groups = new ExpertGroups(world, ranks);
              MoeLayer layer =
                  new MoeLayer(
                      SETTINGS.withParallel(ways),
                      "moe",
                      3,
                      DType.FLOAT32,
                      Device.CPU,
                      grid,
                      threads)) {
            for (int step = 0; step < steps; step++) {
              step(layer, groups, world, step);
            }
            int first = ExpertPlacement.even(EXPERTS, ranks).first(world.rank());
            for (Parameter parameter : layer.parameters()) {
              if (parameter.ofExperts()) {
                for (int expert = 0; expert < parameter.value().size(0); expert++) {
                  weights.put(
                      parameter.name().replace("*", String.valueOf(first + expert)),
                      parameter.value().select(0, expert).contiguous().toDoubles());
                }
              } else {
                weights.put(parameter.name(), parameter.value().toDoubles());
              }
            }
          }
        });
    return weights;
  }

  private static void step(MoeLayer layer, ExpertGroups groups, Communicator world, int step) {
    int own = SEQUENCES / world.size();
    try (Scope scope = Scope.open()) {
      layer.parameters().forEach(Parameter::clearGradient);
      for (int i = 0; i < own; i++) {
        int sequence = world.rank() * own + i;
        try (Generator generator = Generator.named("sequence " + sequence, step)) {
          Tensor x = generator.normal(TOKENS, HIDDEN);
          MoePass pass = layer.forward(x);
          pass.backward(pass.output().sub(x), 1);
        }
      }
      groups.sumGradients(layer.parameters());
      for (Parameter parameter : layer.parameters()) {
        parameter.value().addInPlace(parameter.gradient().mul(-1e-3));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Dispatch.class)
  void twentyStepsTrainWhatOneRankTrains(Dispatch dispatch) {
    Map<String, double[]> alone = trained(1, 20, DEFAULT, world -> world);
    for (int ranks : new int[] {2, 4}) {
      ParallelSettings ways = DEFAULT.withDispatch(dispatch).withChunks(2);
      Map<String, double[]> found = trained(ranks, 20, ways, world -> world);
      assertThat(found.keySet()).isEqualTo(alone.keySet());
      alone.forEach(
          (name, expected) -> {
            for (int i = 0; i < expected.length; i++) {
              assertThat(found.get(name)[i]).as(name).isCloseTo(expected[i], within(1e-5));
            }
          });
    }
  }

  @Test
  void twoRunsTrainTheSameBits() {
    ParallelSettings ways = DEFAULT.withDispatch(Dispatch.DEDUPLICATED).withChunks(2);
    assertSame(trained(4, 5, ways, world -> world), trained(4, 5, ways, world -> world));
  }

  /** Ranks that come early, late and out of step: nobody waits for ever, and no bit changes. */
  @Test
  void delaysChangeNothing() {
    ParallelSettings ways = DEFAULT.withDispatch(Dispatch.DEDUPLICATED).withChunks(4);
    assertSame(trained(4, 200, ways, Delays::over), trained(4, 200, ways, world -> world));
  }

  private static void assertSame(Map<String, double[]> found, Map<String, double[]> expected) {
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, numbers) -> assertThat(found.get(name)).as(name).isEqualTo(numbers));
  }

  /** A transport that is slow at random, each rank in its own way. */
  private record Delays(Communicator ranks, Random random) implements Transport {
    static Communicator over(Communicator ranks) {
      return new Communicator(new Delays(ranks, new Random(ranks.rank())));
    }

    private void sleep() {
      if (random.nextInt(4) == 0) {
        LockSupport.parkNanos(random.nextInt(400_000));
      }
    }

    @Override
    public int rank() {
      return ranks.rank();
    }

    @Override
    public int size() {
      return ranks.size();
    }

    @Override
    public Pending allReduce(Tensor tensor, Reduction reduction) {
      sleep();
      ranks.allReduce(tensor, reduction);
      return Pending.DONE;
    }

    @Override
    public Pending allGather(Tensor gathered, Tensor tensor) {
      sleep();
      gathered.copyFrom(ranks.allGather(tensor));
      return Pending.DONE;
    }

    @Override
    public Pending broadcast(Tensor tensor, int root) {
      sleep();
      ranks.broadcast(tensor, root);
      return Pending.DONE;
    }

    @Override
    public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
      sleep();
      Pending pending = ranks.allToAll(received, receivedRows, sent, sentRows);
      return () -> {
        sleep();
        pending.await();
      };
    }

    @Override
    public Transport split(int colour) {
      return new Delays(ranks.split(colour), random);
    }

    @Override
    public void close() {
      ranks.close();
    }
  }
}
