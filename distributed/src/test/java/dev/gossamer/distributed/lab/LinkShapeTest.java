package dev.gossamer.distributed.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LinkShapeTest {
  /** moe.md 6: burst max(20 kB, R · 10 ms), queue max(100 ms, 2 MB / R). */
  @ParameterizedTest
  @CsvSource({
    "100mbit, 100000000, 125000, 160",
    "16mbit, 16000000, 20000, 1000",
    "40mbit, 40000000, 50000, 400",
    "1gbit, 1000000000, 1250000, 100",
    "500kbit, 500000, 20000, 32000",
    "1.5MBIT, 1500000, 20000, 10667",
  })
  void burstAndQueueFollowFromTheRate(String rate, long bits, long burst, long queue) {
    LinkShape shape = LinkShape.of(rate);
    assertThat(shape.bitsPerSecond()).isEqualTo(bits);
    assertThat(shape.burstBytes()).isEqualTo(burst);
    assertThat(shape.queueMillis()).isEqualTo(queue);
    assertThat(shape.isShaped()).isTrue();
    assertThat(LinkShape.of(shape.rate())).isEqualTo(shape);
  }

  @Test
  void noRateIsNoShape() {
    assertThat(LinkShape.of("none").isShaped()).isFalse();
    assertThat(LinkShape.of("none").rate()).isEqualTo("none");
    assertThat(LinkShape.of("none")).hasToString("not shaped");
    assertThat(LinkShape.of("1.25gbit"))
        .hasToString("1250 Mbit/s each way, burst 1562.5 kB, queue 100 ms");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "100",
        "100 mbit",
        "mbit",
        "-1mbit",
        "1mbit; reboot",
        "1kbit",
        "1tbit",
        "900gbit",
        "0mbit5"
      })
  void anythingElseIsRefused(String rate) {
    assertThatThrownBy(() -> LinkShape.of(rate)).isInstanceOf(UsageException.class);
  }
}
