package dev.gossamer.lm.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.lm.ByteModel;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineSettingsTest {
  @TempDir private Path folder;

  @Test
  void theCacheHoldsWholeContextsIfThereIsMemory() {
    try (ByteModel model = ByteModel.open(folder, 64)) {
      assertThat(model.model().cacheBytesPerToken()).isEqualTo(2 * 2 * 16 * 4);
      assertThat(fitting(model, OptionalInt.empty(), 1L << 30).cacheTokens()).isEqualTo(8 * 64);
      assertThat(fitting(model, OptionalInt.empty(), 25_600).cacheTokens()).isEqualTo(50);
      assertThat(fitting(model, OptionalInt.of(100), 25_600))
          .isEqualTo(new EngineSettings(8, 100, 5, EngineSettings.PREFILL));
      assertThatThrownBy(() -> fitting(model, OptionalInt.of(20_000_000), 2_000_000_000))
          .isInstanceOf(EnvironmentException.class)
          .hasMessageContaining(
              "A cache of 20,000,000 tokens takes 5.1 GB, of which 2.0 GB are free");
    }
  }

  private static EngineSettings fitting(ByteModel model, OptionalInt tokens, long free) {
    return EngineSettings.fitting(model.model(), 8, tokens, 5, free);
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    assertThatThrownBy(() -> new EngineSettings(0, 9, 0, 1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new EngineSettings(1, 1, 0, 1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new EngineSettings(1, 9, -1, 1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new EngineSettings(1, 9, 0, 0)).isInstanceOf(UsageException.class);
  }
}
