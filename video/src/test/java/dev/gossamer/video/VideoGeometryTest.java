package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;

class VideoGeometryTest {
  private final VideoGeometry wan = new VideoGeometry(4, 8, 16, 1024, 16384);

  @Test
  void countsLatents() {
    assertThat(wan.latentFrames(81)).isEqualTo(21);
    assertThat(wan.latentFrames(1)).isEqualTo(1);
    assertThat(wan.frames(21)).isEqualTo(81);
    assertThat(wan.latentSize(832)).isEqualTo(104);
  }

  @Test
  void takesWhatFits() {
    assertThatCode(() -> wan.check(33, 256, 128)).doesNotThrowAnyException();
    assertThatCode(() -> wan.check(1, 16, 16)).doesNotThrowAnyException();
  }

  @Test
  void namesTheNearestNumbersOfFrames() {
    assertThatThrownBy(() -> wan.check(32, 256, 256))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("Use 29 or 33");
    assertThatThrownBy(() -> wan.check(2, 256, 256)).hasMessageEndingWith("Use 1 or 5");
  }

  @Test
  void namesTheNearestSizes() {
    assertThatThrownBy(() -> wan.check(33, 250, 256))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("width of 250")
        .hasMessageEndingWith("Use 240 or 256");
    assertThatThrownBy(() -> wan.check(33, 256, 7))
        .hasMessageContaining("height")
        .hasMessageEndingWith("Use 16");
  }

  @Test
  void refusesMoreThanTheModelKnows() {
    assertThatThrownBy(() -> wan.check(33, 16400, 256)).hasMessageContaining("16384");
    assertThatThrownBy(() -> wan.check(4097, 256, 256)).hasMessageContaining("4093");
  }
}
