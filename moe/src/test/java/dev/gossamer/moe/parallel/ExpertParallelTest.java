package dev.gossamer.moe.parallel;

import static dev.gossamer.moe.parallel.ParallelSettings.DEFAULT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.ExpertGroups;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Several ranks against one that computes every rank's tokens by itself. */
class ExpertParallelTest {
  private static final String NAME = "layers.2.moe";
  private static final long SEED = 11;
  private static final int HIDDEN = 16;
  private static final RouterSettings ROUTER =
      RouterSettings.DEFAULT.withScope(RouterSettings.Scope.MICRO);
  private static final MoeStructure BIG_MAC =
      new MoeStructure.BigMac(HIDDEN, 4, 6, 3, 10, ExpertBody.PLAIN);
  private static final MoeStructure FINE =
      new MoeStructure.FineGrained(HIDDEN, 6, 3, 5, ExpertBody.GATED);

  /** Tokens of each rank; odd counts, and none. */
  private static int tokensOf(int rank) {
    return rank == 1 ? 0 : 5 + 2 * rank;
  }

  private static Tensor tokens(int rank, long seed, DType dtype) {
    try (Generator generator = Generator.named("tokens of rank " + rank, seed)) {
      return generator.normal(tokensOf(rank), HIDDEN).to(dtype);
    }
  }

  static Stream<Arguments> worlds() {
    List<Arguments> worlds = new ArrayList<>();
    for (int ranks : new int[] {1, 2, 4, 8}) {
      for (DType dtype : new DType[] {DType.FLOAT64, DType.FLOAT32}) {
        worlds.add(Arguments.of("BigMac", MoeSettings.of(BIG_MAC), ranks, dtype));
      }
      worlds.add(Arguments.of("fine-grained", MoeSettings.of(FINE), ranks, DType.FLOAT64));
      worlds.add(
          Arguments.of(
              "chunks",
              MoeSettings.of(BIG_MAC).withParallel(DEFAULT.withChunks(2)),
              ranks,
              DType.FLOAT64));
      worlds.add(
          Arguments.of(
              "chunks, shared, norm",
              MoeSettings.of(BIG_MAC)
                  .withParallel(DEFAULT.withChunks(4))
                  .withShared(6)
                  .withLatentNorm(true),
              ranks,
              DType.FLOAT64));
    }
    for (Dispatch dispatch : new Dispatch[] {Dispatch.TWO_LEVEL, Dispatch.DEDUPLICATED}) {
      ParallelSettings ways = DEFAULT.withDispatch(dispatch);
      for (int ranks : new int[] {2, 4, 8}) {
        MoeSettings narrow = MoeSettings.of(BIG_MAC).withParallel(ways);
        MoeSettings chunked = MoeSettings.of(FINE).withParallel(ways.withChunks(2)).withShared(6);
        worlds.add(Arguments.of(dispatch.name(), narrow, ranks, DType.FLOAT64));
        worlds.add(Arguments.of(dispatch + ", chunks", chunked, ranks, DType.FLOAT64));
      }
      worlds.add(
          Arguments.of(
              dispatch.name(), MoeSettings.of(BIG_MAC).withParallel(ways), 4, DType.FLOAT32));
    }
    return worlds.stream();
  }

  private record Oracle(List<double[]> outputs, List<double[]> inputs, List<Parameter> weights) {}

  /** Every rank's tokens through a layer of one rank; gradients add up over them. */
  private static Oracle oracle(
      MoeSettings settings, int ranks, DType dtype, Forcing forcing, MoeLayer layer) {
    List<double[]> outputs = new ArrayList<>();
    List<double[]> inputs = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      MoePass pass = pass(layer, rank, dtype, forcing);
      outputs.add(pass.output().toDoubles());
      inputs.add(pass.backward(tokens(rank, 2, dtype), 1).toDoubles());
    }
    return new Oracle(outputs, inputs, layer.parameters());
  }

  private interface Forcing {
    Optional<Routing> of(int rank);
  }

  private static MoePass pass(MoeLayer layer, int rank, DType dtype, Forcing forcing) {
    Tensor x = tokens(rank, 1, dtype);
    return layer.forward(x, TokenBatch.of(tokensOf(rank)), forcing.of(rank));
  }

  private static void compare(MoeSettings base, int ranks, DType dtype, Forcing forcing) {
    MoeSettings settings = base.withRouter(base.router().withScope(RouterSettings.Scope.MICRO));
    double tolerance = dtype == DType.FLOAT64 ? 1e-10 : 1e-5;
    int perNode = ranks == 8 ? 4 : ranks == 4 ? 2 : 1;
    LocalRanks.run(
        ranks,
        world -> {
          try (Threads threads = new Threads(1);
              RankGrid grid = RankGrid.of(world, perNode);
              ExpertGroups groups = new ExpertGroups(world, ranks);
              MoeLayer one = layer(settings, dtype, LocalRanks.alone(), threads);
              MoeLayer mine =
                  new MoeLayer(settings, NAME, SEED, dtype, Device.CPU, grid, threads)) {
            Oracle oracle = oracle(settings, ranks, dtype, forcing, one);
            int rank = world.rank();
            MoePass pass = pass(mine, rank, dtype, forcing);
            assertClose("y", pass.output().toDoubles(), oracle.outputs().get(rank), tolerance);
            double[] dx = pass.backward(tokens(rank, 2, dtype), 1).toDoubles();
            assertClose("dx", dx, oracle.inputs().get(rank), tolerance);
            groups.sumGradients(mine.parameters());
            weightsAgree(mine, oracle, world, settings, tolerance);
            step(mine);
            step(one);
            weightsAgree(mine, oracle, world, settings, tolerance);
          }
        });
  }

  private static MoeLayer layer(
      MoeSettings settings, DType dtype, Communicator ranks, Threads threads) {
    return new MoeLayer(settings, NAME, SEED, dtype, ranks, threads);
  }

  /** Gradient descent. */
  private static void step(MoeLayer layer) {
    for (Parameter parameter : layer.parameters()) {
      parameter.value().addInPlace(parameter.gradient().mul(-0.1));
    }
  }

  /** Values and gradients, of experts those of this rank. */
  private static void weightsAgree(
      MoeLayer mine, Oracle oracle, Communicator world, MoeSettings settings, double tolerance) {
    ExpertPlacement placement = ExpertPlacement.even(settings.structure().experts(), world.size());
    int first = placement.first(world.rank());
    int count = placement.count(world.rank());
    for (int i = 0; i < oracle.weights().size(); i++) {
      Parameter whole = oracle.weights().get(i);
      Parameter part = mine.parameters().get(i);
      assertThat(part.name()).isEqualTo(whole.name());
      Tensor value = whole.value();
      Tensor gradient = whole.gradient();
      Tensor found = part.gradient();
      if (part.ofExperts()) {
        value = value.narrow(0, first, count);
        gradient = gradient.narrow(0, first, count);
      }
      assertClose(part.name(), part.value().toDoubles(), value.toDoubles(), tolerance);
      assertClose(part.name(), found.toDoubles(), gradient.toDoubles(), tolerance);
    }
  }

  private static void assertClose(
      String name, double[] found, double[] expected, double tolerance) {
    assertThat(found).as(name).hasSameSizeAs(expected);
    double size = 1 + Arrays.stream(expected).map(Math::abs).max().orElse(0);
    for (int i = 0; i < found.length; i++) {
      assertThat(found[i]).as("%s[%d]", name, i).isCloseTo(expected[i], offset(tolerance * size));
    }
  }

  @ParameterizedTest
  @MethodSource("worlds")
  void ranksComputeWhatOneRankComputes(String name, MoeSettings settings, int ranks, DType dtype) {
    compare(settings, ranks, dtype, rank -> Optional.empty());
  }

  /** All tokens of all ranks to the experts of the last rank: everybody else gets none. */
  @ParameterizedTest
  @MethodSource("worlds")
  void allTokensMayGoToTheSameExperts(String name, MoeSettings settings, int ranks, DType dtype) {
    compare(
        settings,
        ranks,
        dtype,
        rank -> {
          int[] expert = new int[tokensOf(rank) * 3];
          Arrays.setAll(expert, slot -> 3 + slot % 3);
          return Optional.of(new Routing(tokensOf(rank), 3, 6, expert));
        });
  }

  @Test
  void droppedSlotsTravelNowhere() {
    RouterSettings router = ROUTER.withCapacity(0.6, RouterSettings.Drop.LATEST);
    compare(MoeSettings.of(BIG_MAC).withRouter(router), 4, DType.FLOAT64, r -> Optional.empty());
  }

  @Test
  void fewerExpertsThanRanks() {
    MoeStructure few = new MoeStructure.BigMac(HIDDEN, 4, 3, 2, 10, ExpertBody.PLAIN);
    compare(MoeSettings.of(few), 4, DType.FLOAT64, rank -> Optional.empty());
  }

  /** Four exchanges of k rows of the wire's width: there and back, and both for the gradients. */
  @Test
  void bytesOnTheWireAreThoseOfTheFormula() {
    int tokens = 24;
    int ranks = 4;
    MoeStructure narrow = new MoeStructure.BigMac(HIDDEN, 4, 8, 4, 8, ExpertBody.PLAIN);
    MoeStructure wide = new MoeStructure.FineGrained(HIDDEN, 8, 4, 4, ExpertBody.PLAIN);
    long[] ofNarrow = balancedTraffic(narrow, tokens, ranks);
    long[] ofWide = balancedTraffic(wide, tokens, ranks);
    long volume = 4L * tokens * 4 * 4 * Float.BYTES; // exchanges, tokens, top-k, width, bytes
    assertThat(ofNarrow).containsOnly(volume * (ranks - 1) / ranks);
    assertThat(ofWide).containsOnly(volume * HIDDEN / 4 * (ranks - 1) / ranks);
  }

  private static long[] balancedTraffic(MoeStructure structure, int tokens, int ranks) {
    long[] remote = new long[ranks];
    LocalRanks.run(
        ranks,
        world -> {
          try (Threads threads = new Threads(1);
              Generator generator = Generator.seeded(world.rank());
              MoeLayer layer = layer(MoeSettings.of(structure), DType.FLOAT32, world, threads)) {
            int[] expert = new int[tokens * 4];
            Arrays.setAll(expert, slot -> (slot * 2 + slot / 4) % 8);
            Routing routing = new Routing(tokens, 4, 8, expert);
            Traffic before = world.traffic();
            Tensor x = generator.normal(tokens, HIDDEN);
            layer.forward(x, TokenBatch.of(tokens), Optional.of(routing)).backward(x, 1);
            remote[world.rank()] = world.traffic().since(before).remoteBytes();
          }
        });
    return remote;
  }

  @Test
  void halfPrecisionOnTheWireHalvesTheBytesAndCostsLittle() {
    LocalRanks.run(
        2,
        world -> {
          MoeSettings exact = MoeSettings.of(BIG_MAC).withRouter(ROUTER);
          try (Threads threads = new Threads(1);
              MoeLayer full = layer(exact, DType.FLOAT32, world, threads);
              MoeLayer half =
                  layer(
                      exact.withParallel(DEFAULT.withWire(DType.BFLOAT16)),
                      DType.FLOAT32,
                      world,
                      threads)) {
            Tensor x = tokens(2, 1, DType.FLOAT32);
            TokenBatch batch = TokenBatch.of(tokensOf(2));
            Traffic start = world.traffic();
            Tensor y = full.forward(x, batch, Optional.empty()).output();
            Traffic middle = world.traffic();
            Tensor coarse = half.forward(x, batch, Optional.empty()).output();
            Traffic end = world.traffic();
            assertThat(2 * end.since(middle).remoteBytes())
                .isEqualTo(middle.since(start).remoteBytes());
            double error =
                coarse.sub(y).square().sum().sqrt().item() / y.square().sum().sqrt().item();
            assertThat(error).isBetween(1e-5, 1e-2);
          }
        });
  }

  /**
   * One row and one ticket for each node that holds an expert of a token, whatever their number.
   */
  @Test
  void onceToEachNodeIsWhatTravelsBetweenNodes() {
    int tokens = 21;
    int topK = 3;
    LocalRanks.run(
        8,
        world -> {
          MoeSettings settings =
              MoeSettings.of(new MoeStructure.BigMac(HIDDEN, 4, 16, topK, 8, ExpertBody.PLAIN))
                  .withParallel(DEFAULT.withDispatch(Dispatch.DEDUPLICATED));
          try (Threads threads = new Threads(1);
              Generator generator = Generator.seeded(world.rank());
              RankGrid grid = RankGrid.of(world, 2);
              MoeLayer layer =
                  new MoeLayer(settings, NAME, SEED, DType.FLOAT32, Device.CPU, grid, threads)) {
            Tensor x = generator.normal(tokens, HIDDEN);
            Traffic before = grid.traffic();
            MoePass pass = layer.forward(x);
            Routing routing = pass.choice().routing();
            long copies = 0;
            for (int token = 0; token < tokens; token++) {
              copies +=
                  Arrays.stream(routing.expert(), token * topK, (token + 1) * topK)
                      .map(expert -> expert / 4)
                      .distinct()
                      .filter(node -> node != world.rank() / 2)
                      .count();
            }
            // What comes home is sent by others: all ranks together send what they receive.
            long there = copies * (4 * Float.BYTES + 2 * topK * Float.BYTES);
            assertThat(sumOver(world, grid.traffic().since(before).bytesBetweenNodes(2)))
                .isEqualTo(sumOver(world, there + copies * 4 * Float.BYTES));
            Traffic middle = grid.traffic();
            pass.backward(x, 1);
            long back = copies * (4 * Float.BYTES + 4 * Float.BYTES + topK * Float.BYTES);
            assertThat(sumOver(world, grid.traffic().since(middle).bytesBetweenNodes(2)))
                .isEqualTo(sumOver(world, back));
          }
        });
  }

  private static long sumOver(Communicator world, long value) {
    Tensor sum = Tensor.of(new long[] {value}, 1);
    world.allReduce(sum);
    return sum.toLongs()[0];
  }

  @Test
  void twoStepsSendAsManyBytesBetweenNodesAsOne() {
    LocalRanks.run(
        8,
        world -> {
          long[] bytes = new long[2];
          for (Dispatch dispatch : new Dispatch[] {Dispatch.FLAT, Dispatch.TWO_LEVEL}) {
            MoeSettings settings =
                MoeSettings.of(BIG_MAC).withParallel(DEFAULT.withDispatch(dispatch));
            try (Threads threads = new Threads(1);
                RankGrid grid = RankGrid.of(world, 2);
                MoeLayer layer =
                    new MoeLayer(settings, NAME, SEED, DType.FLOAT32, Device.CPU, grid, threads)) {
              Tensor x = tokens(world.rank(), 1, DType.FLOAT32);
              layer.forward(x).backward(x, 1);
              bytes[dispatch.ordinal()] = sumOver(world, grid.traffic().bytesBetweenNodes(2));
            }
          }
          assertThat(bytes[1]).isPositive();
          // The world's communicator counts on: the first layer's bytes are in both.
          assertThat(bytes[1]).isEqualTo(2 * bytes[0]);
        });
  }

  @Test
  void aRankThatWouldReceiveTooMuchSaysSoOnAllRanks() {
    MoeSettings settings = MoeSettings.of(BIG_MAC).withParallel(DEFAULT.withReceiveLimit(10));
    LocalRanks.run(
        2,
        world -> {
          try (Threads threads = new Threads(1);
              MoeLayer layer = layer(settings, DType.FLOAT32, world, threads)) {
            int[] expert = new int[7 * 3];
            Arrays.setAll(expert, slot -> 3 + slot % 3);
            Routing routing = new Routing(7, 3, 6, expert);
            Tensor x = Tensor.zeros(DType.FLOAT32, 7, HIDDEN);
            assertThatThrownBy(() -> layer.forward(x, TokenBatch.of(7), Optional.of(routing)))
                .isInstanceOf(GossamerException.class)
                .hasMessageContaining(
                    "In layers.2.moe rank 1 would receive 42 rows, 14 of them for expert 3,"
                        + " and takes 10");
          }
        });
  }

  @Test
  void nodesMustMakeUpTheWorld() {
    LocalRanks.run(
        3,
        world ->
            assertThatThrownBy(() -> RankGrid.of(world, 2))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("3 ranks are not nodes of 2 ranks each"));
  }

  @Test
  void expertsAreDividedAsEvenlyAsTheyCan() {
    ExpertPlacement placement = ExpertPlacement.even(7, 3);
    assertThat(new int[] {placement.count(0), placement.count(1), placement.count(2)})
        .containsExactly(3, 2, 2);
    assertThat(placement.first(3)).isEqualTo(7);
    assertThat(ExpertPlacement.even(2, 4).count(3)).isZero();
    assertThat(placement.among(1, 3)).satisfies(some -> assertThat(some.first(1)).isEqualTo(2));
  }

  @Test
  void leavesNothingBehind() {
    long before = Tensor.live();
    compare(
        MoeSettings.of(BIG_MAC).withParallel(DEFAULT.withChunks(2)),
        2,
        DType.FLOAT32,
        rank -> Optional.empty());
    assertThat(Tensor.live()).isEqualTo(before);
  }
}
