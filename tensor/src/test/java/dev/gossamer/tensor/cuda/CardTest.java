package dev.gossamer.tensor.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.failure.EnvironmentException;
import org.junit.jupiter.api.Test;

class CardTest {
  private static final Card HOPPER =
      new Card(0, "NVIDIA H200", 90, 132, 232_448, 150L << 30, 13_000);

  @Test
  void withoutCardsNothingIsListedAndAskingSaysWhy() {
    assumeTrue(Card.all().isEmpty(), "this machine has a card");
    assertThatThrownBy(() -> Card.of(Device.of("cuda")))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageStartingWith("Cannot use an NVIDIA card: ")
        .message()
        .doesNotContain("\n");
  }

  @Test
  void aProcessorIsNoCard() {
    assertThatThrownBy(() -> Card.of(Device.CPU)).isInstanceOf(IllegalArgumentException.class);
    assertThat(Card.takenBytes(Device.CPU)).isEmpty();
    Card.synchronise(Device.CPU);
  }

  @Test
  void hopperHasInstructionsOfItsOwn() {
    assertThat(HOPPER.architecture()).isEqualTo("sm_90a");
    assertThat(HOPPER.capabilityText()).isEqualTo("9.0");
    assertThat(new Card(0, "", 86, 1, 1, 1, 1).architecture()).isEqualTo("sm_86");
  }

  @Test
  void aStopwatchOnAProcessorIsAClock() {
    double seconds = Stopwatch.start(Device.CPU).stop().getAsDouble();
    assertThat(seconds).isBetween(0.0, 60.0);
  }

  @Test
  void impossibleGridsAreRefused() {
    assertThat(Grid.of(3, 128).withShared(100)).isEqualTo(new Grid(3, 1, 1, 128, 100));
    assertThatThrownBy(() -> Grid.of(0, 128)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Grid.of(1, 70_000, 128)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Grid.of(1, 2048)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Grid.of(1, 128).withShared(-1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
