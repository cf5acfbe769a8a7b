package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;

class VideoRequestTest {
  private final VideoRequest request =
      new VideoDefaults(33, 256, 256, 20, 4, 16).request("a cat", new DenseAttention());

  @Test
  void startsFromDefaults() {
    assertThat(request.frames()).isEqualTo(33);
    assertThat(request.negative()).isEmpty();
    assertThat(request.guided()).isTrue();
    assertThat(request.withGuidance(1).guided()).isFalse();
  }

  @Test
  void rejectsWhatNobodyCanDraw() {
    assertThatThrownBy(() -> request.withPrompt(" \n")).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> request.withFrames(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> request.withSize(0, 16)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> request.withSteps(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> request.withSteps(1001)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> request.withGuidance(Double.NaN)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> request.withGuidance(-1)).isInstanceOf(UsageException.class);
  }

  @Test
  void rejectsHalfACharacterButTakesWholeOnes() {
    assertThatThrownBy(() -> request.withPrompt("a \ud83d cat"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("position 2");
    assertThatThrownBy(() -> request.withNegative("\ude80")).isInstanceOf(UsageException.class);
    assertThatCode(() -> request.withPrompt("\ud83d\ude80 \0 \u202e </s> \"'`$(rm)"))
        .doesNotThrowAnyException();
  }

  @Test
  void rejectsAPromptThatIsABook() {
    assertThatThrownBy(() -> request.withPrompt("cat ".repeat(100_000)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("400000");
  }
}
