package dev.gossamer.moe.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RoutingFileTest {
  private static final RoutedLayer LAYER = new RoutedLayer("a", 2, 2, 4);

  @TempDir Path temp;
  private Path file;

  @BeforeEach
  void name() {
    file = temp.resolve("routing.safetensors");
  }

  private static RecordedRouting recorded(int rank) {
    Routing routing = ForcedRouting.random(rank, 3, 8, rank); // as many tokens as the rank's number
    float[] weights = new float[rank * 3];
    Arrays.fill(weights, 0.25f + rank);
    return new RecordedRouting(routing, weights);
  }

  @Test
  void everyRankGetsItsOwnBack() {
    long before = Tensor.live();
    LocalRanks.run(
        4,
        world -> {
          Map<String, RecordedRouting> layers = new LinkedHashMap<>();
          layers.put("x", recorded(world.rank()));
          layers.put("y", recorded(world.rank()));
          RoutingFile.write(file, world, layers);
          world.barrier();
          RoutedLayer layer = new RoutedLayer("y", world.rank(), 3, 8);
          Routing back = RoutingFile.open(file).routing(layer, world.rank(), 4);
          assertThat(back.expert()).containsExactly(recorded(world.rank()).routing().expert());
        });
    try (Scope scope = Scope.open()) {
      SafetensorsFile raw = SafetensorsFile.open(file);
      assertThat(raw.entries()).hasSize(2 * 2 * 4).containsKey("x.rank.3.weights");
      assertThat(raw.tensor("x.rank.3.weights").toFloats()).containsOnly(3.25f);
    }
    assertThat(temp).isDirectoryNotContaining("glob:**.part");
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void aChoiceIsRecordedBeforeCapacityDropsSlots() {
    try (Scope scope = Scope.open()) {
      RouterSettings narrow = RouterSettings.DEFAULT.withCapacity(0.5, RouterSettings.Drop.LATEST);
      Choice choice =
          new Router(narrow, 4, 2)
              .route(
                  Tensor.of(new double[] {4, 3, 2, 1, 4, 3, 2, 1}, 2, 4),
                  TokenBatch.of(2),
                  Optional.empty(),
                  LocalRanks.alone());
      RecordedRouting recorded = RecordedRouting.of(choice);
      assertThat(recorded.routing().expert()).containsExactly(0, 1, 0, 1);
      assertThat(recorded.weights()).hasSize(4);
      assertThat(choice.routing().dropRate()).isPositive();
    }
  }

  /** Writes a file of one layer and one rank, and asks for it. */
  private Routing replayed(Tensor experts, Tensor weights) {
    SafetensorsWriter.write(
        file, Map.of("a.rank.0.experts", experts, "a.rank.0.weights", weights), Map.of());
    return RoutingFile.open(file).routing(LAYER, 0, 1);
  }

  private void refuses(Tensor experts, Tensor weights, String because) {
    assertThatThrownBy(() -> replayed(experts, weights))
        .isInstanceOf(BadInputException.class)
        .hasMessageStartingWith("Cannot replay " + file + ": ")
        .hasMessageContaining(because);
  }

  private static Tensor ints(int... values) {
    return Tensor.of(values, values.length / 2, 2);
  }

  private static Tensor floats(float... values) {
    return Tensor.of(values, values.length / 2, 2);
  }

  @Test
  void refusesWhatDoesNotFitTheLayer() {
    try (Scope scope = Scope.open()) {
      Tensor fine = ints(0, 1, 3, -1);
      Tensor even = floats(.5f, .5f, 1, 0);
      assertThat(replayed(fine, even).expert()).containsExactly(0, 1, 3, -1);
      refuses(ints(0, 1, 3, 4), even, "a.rank.0.experts sends token 1 to expert 4 of 4");
      refuses(ints(0, -2, 3, 2), even, "token 0 to expert -2");
      refuses(ints(0, Integer.MAX_VALUE, 3, 2), even, "to expert 2147483647 of 4");
      refuses(ints(0, 1, 2, 2), even, "sends token 1 twice to expert 2");
      refuses(ints(0, 1), floats(1, 1), "has 1 tokens, not 2");
      refuses(ints(0, 1, 2, 3, 0, 1), floats(1, 1, 1, 1, 1, 1), "has 3 tokens, not 2");
      refuses(fine, floats(1, 1), "a.rank.0.weights has 2 numbers");
      refuses(fine, floats(1, Float.NaN, 1, 1), "gives token 0 the weight NaN");
      refuses(fine, floats(1, 1, 1, Float.POSITIVE_INFINITY), "token 1 the weight Infinity");
      refuses(Tensor.of(new int[4], 4), even, "is I32 [4], not I32 [tokens, 2]");
      refuses(Tensor.of(new int[6], 2, 3), even, "is I32 [2, 3]");
      refuses(Tensor.of(new int[4], 2, 2, 1), even, "is I32 [2, 2, 1]");
      refuses(Tensor.of(new long[4], 2, 2), even, "is I64 [2, 2]");
      refuses(fine, Tensor.of(new double[4], 2, 2), "is F64 [2, 2]");
    }
  }

  @Test
  void refusesAnotherLayerOrAnotherNumberOfRanks() {
    LocalRanks.run(
        2, world -> RoutingFile.write(file, world, Map.of("a", recorded(2 - world.rank()))));
    RoutingFile recorded = RoutingFile.open(file);
    assertThatThrownBy(() -> recorded.routing(new RoutedLayer("b", 2, 3, 8), 0, 2))
        .hasMessageContaining("it has no b.rank.0.experts");
    assertThatThrownBy(() -> recorded.routing(new RoutedLayer("a", 2, 3, 8), 0, 1))
        .hasMessageContaining("it was recorded on more than 1 ranks");
    assertThatThrownBy(() -> recorded.routing(new RoutedLayer("a", 2, 3, 8), 0, 3))
        .hasMessageContaining("it has no a.rank.2.experts");
    assertThatThrownBy(() -> recorded.routing(new RoutedLayer("a", 2, 3, 2), 0, 2))
        .hasMessageContaining("of 2. Replay on a layer with as many experts");
  }

  @Test
  void noDamageDoesMoreThanToBeRefused() throws IOException {
    LocalRanks.run(1, world -> RoutingFile.write(file, world, Map.of("a", recorded(2))));
    byte[] whole = Files.readAllBytes(file);
    RoutedLayer layer = new RoutedLayer("a", 2, 3, 8);
    Random random = new Random(3);
    for (int i = 0; i < 1000; i++) {
      byte[] damaged =
          random.nextInt(4) == 0
              ? Arrays.copyOf(whole, random.nextInt(whole.length))
              : whole.clone();
      for (int flips = 0; flips < 3 && damaged.length > 0; flips++) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      Path other = Files.write(temp.resolve("damaged" + i), damaged);
      try {
        Routing routing = RoutingFile.open(other).routing(layer, 0, 1);
        assertThat(routing.expert()).hasSize(6);
      } catch (BadInputException e) {
        assertThat(e).hasMessageContaining(other.toString());
      }
    }
  }

  @Test
  void rankZeroSaysThatItCannotWrite() {
    assertThatThrownBy(
            () ->
                RoutingFile.write(
                    temp.resolve("absent/routing"), LocalRanks.alone(), Map.of("a", recorded(1))))
        .isInstanceOf(EnvironmentException.class);
  }
}
