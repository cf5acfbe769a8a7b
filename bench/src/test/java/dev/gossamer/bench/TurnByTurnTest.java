package dev.gossamer.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.InterruptedRunException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TurnByTurnTest {
  @Test
  void takesTurns() {
    List<String> order = new ArrayList<>();
    List<Timing> timings =
        TurnByTurn.measure(
            List.of(() -> order.add("a"), () -> order.add("b")), 3, BenchProgress.NONE);
    assertThat(String.join("", order)).isEqualTo("ababab");
    assertThat(timings).hasSize(2).allSatisfy(timing -> assertThat(timing.millis()).hasSize(3));
  }

  @Test
  void marksOfAWorkAreTimedEach() {
    List<List<Timing>> laps =
        TurnByTurn.laps(
            List.of(() -> List.of(1.0, 3.0), () -> List.of(2.0)), 2, BenchProgress.NONE);
    assertThat(laps)
        .containsExactly(List.of(Timing.of(1, 1), Timing.of(3, 3)), List.of(Timing.of(2, 2)));
  }

  @Test
  void stopsBetweenTwoMeasurementsWhenAsked() {
    List<String> order = new ArrayList<>();
    BenchProgress impatient =
        new BenchProgress() {
          @Override
          public void note(String line) {}

          @Override
          public boolean cancelled() {
            return order.size() == 1;
          }
        };
    assertThatThrownBy(() -> TurnByTurn.measure(List.of(() -> order.add("a")), 3, impatient))
        .isInstanceOf(InterruptedRunException.class);
    assertThat(order).hasSize(1);
  }
}
