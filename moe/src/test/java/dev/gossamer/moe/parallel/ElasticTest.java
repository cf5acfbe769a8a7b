package dev.gossamer.moe.parallel;

import static dev.gossamer.moe.parallel.ParallelSettings.DEFAULT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.ExpertGroups;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.junit.jupiter.api.Test;

/** The same bits after ten steps, on however many ranks the micro-batches are computed. */
class ElasticTest {
  private static final int MICRO_BATCHES = 8;
  private static final int HIDDEN = 64;
  private static final int EXPERTS = 8;
  private static final RouterSettings ROUTER =
      RouterSettings.DEFAULT.withScope(RouterSettings.Scope.SEQUENCE);
  private static final MoeSettings BIG_MAC =
      MoeSettings.of(new MoeStructure.BigMac(HIDDEN, 16, EXPERTS, 3, 40, ExpertBody.PLAIN))
          .withRouter(ROUTER)
          .withShared(32)
          .withLatentNorm(true);
  private static final MoeSettings FINE =
      MoeSettings.of(new MoeStructure.FineGrained(HIDDEN, EXPERTS, 3, 24, ExpertBody.GATED))
          .withRouter(ROUTER);

  /** Ten steps of gradient descent; the fingerprint of every weight, experts one by one. */
  private static Map<String, String> trained(MoeSettings base, int ranks, int block, Dispatch way) {
    int own = MICRO_BATCHES / ranks;
    MoeSettings settings = base.withParallel(DEFAULT.withElastic(own).withDispatch(way));
    Map<String, String> prints = new ConcurrentSkipListMap<>();
    LocalRanks.run(
        ranks,
        world -> {
          try (Threads threads = new Threads(1);
              ExpertGroups groups = new ExpertGroups(world, block);
              RankGrid grid = RankGrid.of(groups.block(), block == 8 ? 2 : block);
              MoeLayer layer =
                  new MoeLayer(settings, "moe", 3, DType.FLOAT32, Device.CPU, grid, threads)) {
            for (int step = 0; step < 10; step++) {
              step(layer, groups, world, own, step);
            }
            fingerprint(layer, groups.block(), prints);
          }
        });
    return new TreeMap<>(prints);
  }

  private static void step(
      MoeLayer layer, ExpertGroups groups, Communicator world, int own, int step) {
    try (Scope scope = Scope.open()) {
      layer.parameters().forEach(Parameter::clearGradient);
      for (int i = 0; i < own; i++) {
        int microBatch = world.rank() * own + i;
        int tokens = 13 + 2 * microBatch; // odd numbers, and not the same
        try (Generator generator = Generator.named("micro-batch " + microBatch, step)) {
          Tensor x = generator.normal(tokens, HIDDEN);
          MoePass pass = layer.forward(x, TokenBatch.of(tokens).numbered(i), Optional.empty());
          pass.backward(pass.output().sub(x), 1);
        }
      }
      groups.sumGradients(layer.parameters());
      for (Parameter parameter : layer.parameters()) {
        parameter.value().addInPlace(parameter.gradient().mul(-3e-4));
      }
    }
  }

  private static void fingerprint(MoeLayer layer, Communicator block, Map<String, String> prints) {
    int first = ExpertPlacement.even(EXPERTS, block.size()).first(block.rank());
    for (Parameter parameter : layer.parameters()) {
      if (parameter.ofExperts()) {
        for (int expert = 0; expert < parameter.value().size(0); expert++) {
          String name = parameter.name().replace("*", String.valueOf(first + expert));
          put(prints, name, parameter.value().select(0, expert));
        }
      } else {
        put(prints, parameter.name(), parameter.value());
      }
    }
  }

  private static void put(Map<String, String> prints, String name, Tensor value) {
    float[] numbers = value.contiguous().toFloats();
    ByteBuffer bytes = ByteBuffer.allocate(numbers.length * Float.BYTES);
    bytes.asFloatBuffer().put(numbers);
    try {
      byte[] sum = MessageDigest.getInstance("SHA-256").digest(bytes.array());
      String print = HexFormat.of().formatHex(sum);
      String other = prints.putIfAbsent(name, print);
      assertThat(other == null ? print : other).as(name + " on another rank").isEqualTo(print);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void anyNumberOfRanksTrainsTheSameBits() {
    for (MoeSettings settings : new MoeSettings[] {BIG_MAC, FINE}) {
      Map<String, String> alone = trained(settings, 1, 1, Dispatch.FLAT);
      for (int ranks : new int[] {2, 4, 8}) {
        assertThat(trained(settings, ranks, ranks, Dispatch.FLAT))
            .as(ranks + " ranks")
            .isEqualTo(alone);
      }
      assertThat(trained(settings, 8, 8, Dispatch.TWO_LEVEL)).isEqualTo(alone);
      assertThat(trained(settings, 8, 2, Dispatch.FLAT)).as("four replicas").isEqualTo(alone);
      assertThat(trained(settings, 4, 1, Dispatch.FLAT)).as("no sharing").isEqualTo(alone);
    }
  }

  @Test
  void sumsThatDependOnTheRanksAreRefused() {
    assertThatThrownBy(() -> DEFAULT.withElastic(2).withDispatch(Dispatch.DEDUPLICATED))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sums inside of nodes");
    MoeSettings global =
        BIG_MAC.withRouter(ROUTER.withScope(RouterSettings.Scope.GLOBAL).withBalance(0.01));
    assertThatThrownBy(() -> global.withParallel(DEFAULT.withElastic(2)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("a balance loss over all of them");
  }
}
