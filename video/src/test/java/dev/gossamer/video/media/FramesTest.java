package dev.gossamer.video.media;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.List;
import org.junit.jupiter.api.Test;

class FramesTest {
  @Test
  void readsChannelsFirstRowByRow() {
    try (Scope scope = Scope.open()) {
      float[] values = new float[2 * 3 * 2 * 4];
      for (int i = 0; i < values.length; i++) {
        values[i] = i / 255f;
      }
      Frames frames = Frames.ofChannelsFirst(Tensor.of(values, 2, 3, 2, 4));
      assertThat(frames.count()).isEqualTo(2);
      assertThat(frames.width()).isEqualTo(4);
      assertThat(frames.height()).isEqualTo(2);
      // frame 1, row 1, column 2: red 24 + 4 + 2, green 8 more, blue 16 more
      assertThat(frames.get(1).pixel(2, 1)).isEqualTo(30 << 16 | 38 << 8 | 46);
    }
  }

  @Test
  void readsChannelsLast() {
    try (Scope scope = Scope.open()) {
      float[] values = {0, 1 / 255f, 2 / 255f, 3 / 255f, 4 / 255f, 5 / 255f};
      Frame frame = Frames.ofChannelsLast(Tensor.of(values, 1, 1, 2, 3)).get(0);
      assertThat(frame).isEqualTo(new Frame(2, 1, new byte[] {0, 1, 2, 3, 4, 5}));
    }
  }

  @Test
  void roundsHalvesToEvenAndCutsOffWhatIsOutOfRange() {
    try (Scope scope = Scope.open()) {
      // 0.5 * 255 = 127.5 and 126.5 / 255 * 255 = 126.5 in float32: both go to the even neighbour
      Tensor values = Tensor.of(new float[] {0.5f, 126.5f / 255, 1.7f, -3, 0, 1}, 1, 1, 2, 3);
      assertThat(Frames.ofChannelsLast(values).get(0).rgb())
          .containsExactly((byte) 128, (byte) 126, (byte) 255, (byte) 0, (byte) 0, (byte) 255);
    }
  }

  @Test
  void readsDecodedChunksFromMinusOneToOne() {
    try (Scope scope = Scope.open()) {
      // [1, 3, 2, 1, 1]: per channel the values of two frames
      Tensor values = Tensor.of(new float[] {-1, 1, 0, 0.5f, -2, 2}, 1, 3, 2, 1, 1);
      Frames frames = Frames.ofDecoded(values);
      assertThat(frames.get(0).rgb()).containsExactly((byte) 0, (byte) 128, (byte) 0);
      assertThat(frames.get(1).rgb()).containsExactly((byte) 255, (byte) 191, (byte) 255);
    }
  }

  @Test
  void readsHalfPrecisionAsFloat32() {
    try (Scope scope = Scope.open()) {
      Tensor exact = Tensor.full(0.5, DType.BFLOAT16, 1, 3, 2, 2);
      assertThat(Frames.ofChannelsFirst(exact).get(0).pixel(1, 1)).isEqualTo(0x808080);
    }
  }

  @Test
  void refusesNanAndInfinityWithTheFrame() {
    try (Scope scope = Scope.open()) {
      Tensor values = Tensor.zeros(DType.FLOAT32, 1, 3, 4, 2, 2);
      values.narrow(2, 2, 1).fill(Double.NaN);
      assertThatThrownBy(() -> Frames.ofDecoded(values))
          .isInstanceOf(GossamerException.class)
          .hasMessageContaining("frame 2 holds NaN");
      Tensor infinite = Tensor.full(Double.POSITIVE_INFINITY, DType.FLOAT32, 1, 2, 2, 3);
      assertThatThrownBy(() -> Frames.ofChannelsLast(infinite))
          .isInstanceOf(GossamerException.class);
    }
  }

  @Test
  void refusesShapesThatAreNoFrames() {
    try (Scope scope = Scope.open()) {
      Tensor grey = Tensor.zeros(DType.FLOAT32, 2, 1, 8, 8);
      assertThatThrownBy(() -> Frames.ofChannelsFirst(grey))
          .hasMessageContaining("[2, 1, 8, 8]")
          .hasMessageContaining("[frames, 3, height, width]");
      Tensor two = Tensor.zeros(DType.FLOAT32, 2, 3, 1, 8, 8);
      assertThatThrownBy(() -> Frames.ofDecoded(two)).hasMessageContaining("not from 2");
      Tensor none = Tensor.zeros(DType.FLOAT32, 0, 3, 8, 8);
      assertThatThrownBy(() -> Frames.ofChannelsFirst(none)).hasMessageContaining("at least one");
      Tensor whole = Tensor.zeros(DType.INT64, 1, 3, 8, 8);
      assertThatThrownBy(() -> Frames.ofChannelsFirst(whole)).hasMessageContaining("INT64");
    }
  }

  @Test
  void refusesNoFramesAndFramesOfDifferentSizes() {
    assertThatThrownBy(Frames::of).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Frames.of(Cartoon.plain(0, 4, 4), Cartoon.plain(0, 4, 5)))
        .hasMessageContaining("Frame 1 is 4x5")
        .hasMessageContaining("4x4");
    assertThatThrownBy(() -> new Frame(2, 2, new byte[11])).hasMessageContaining("11 bytes");
    assertThatThrownBy(() -> new Frame(0, 2, new byte[0])).hasMessageContaining("0x2");
  }

  @Test
  void joinsPiecesInOrder() {
    Frames one = Frames.of(Cartoon.plain(1, 2, 2), Cartoon.plain(2, 2, 2));
    Frames other = Frames.of(Cartoon.plain(3, 2, 2));
    assertThat(Frames.join(List.of(one, other)).all())
        .extracting(frame -> frame.pixel(0, 0))
        .containsExactly(1, 2, 3);
  }

  @Test
  void leavesNoTensorBehind() {
    long before = Tensor.live();
    try (Scope scope = Scope.open()) {
      Frames.ofDecoded(Tensor.zeros(DType.FLOAT32, 1, 3, 5, 8, 8));
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }
}
