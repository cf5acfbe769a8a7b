package dev.gossamer.moe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExpertGroupsTest {
  /** Small ones between large ones, other types between, so that every way to travel is taken. */
  private static final long[][] SHAPES = {{3}, {2, 2}, {1 << 20, 2}, {5}, {7, 1}, {600, 1000}, {2}};

  private static final int OTHER_TYPE = 3;
  private static final int[] OF_EXPERTS = {1, 5};

  @Test
  void everyHolderOfAWeightHasTheSumHoweverItTravelled() {
    LocalRanks.run(
        4,
        world -> {
          try (Scope scope = Scope.open();
              ExpertGroups groups = new ExpertGroups(world, 2)) {
            List<Parameter> parameters = new ArrayList<>();
            for (int i = 0; i < SHAPES.length; i++) {
              parameters.add(parameter(i, scope));
              parameters.get(i).gradient().fill((i + 1) * (world.rank() + 1));
            }
            groups.sumGradients(parameters);
            for (int i = 0; i < SHAPES.length; i++) {
              boolean ofExperts = parameters.get(i).ofExperts();
              int ranks = ofExperts ? 2 * (world.rank() % 2) + 1 + 3 : 1 + 2 + 3 + 4;
              Tensor gradient = parameters.get(i).gradient();
              assertThat(gradient.amin().item()).isEqualTo((i + 1) * ranks);
              assertThat(gradient.amax().item()).isEqualTo((i + 1) * ranks);
            }
          }
        });
  }

  private static Parameter parameter(int number, Scope owner) {
    boolean ofExperts = number == OF_EXPERTS[0] || number == OF_EXPERTS[1];
    DType dtype = number == OTHER_TYPE ? DType.FLOAT64 : DType.FLOAT32;
    return Parameter.of("p" + number, Tensor.empty(dtype, SHAPES[number]), ofExperts, 0, owner);
  }
}
