package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import org.junit.jupiter.api.Test;

class AttentionCatalogTest {
  @Test
  void findsDenseByName() {
    assertThat(AttentionCatalog.create("dense", AttentionOptions.defaults()))
        .isInstanceOf(DenseAttention.class);
  }

  @Test
  void everyMethodCarriesTheNameOfItsProvider() {
    for (AttentionProvider provider : AttentionCatalog.providers()) {
      assertThat(provider.create(AttentionOptions.defaults()).name()).isEqualTo(provider.name());
    }
  }

  @Test
  void anUnknownNameIsAnsweredWithTheKnownOnes() {
    assertThatThrownBy(() -> AttentionCatalog.create("sparse", AttentionOptions.defaults()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("Unknown attention 'sparse'. Use one of: ")
        .hasMessageContaining("dense");
  }

  @Test
  void denseRefusesWhatItDoesNotKnow() {
    AttentionOptions none = AttentionOptions.defaults();
    for (AttentionOptions wrong :
        List.of(none.withPreset("paper"), none.withDensity(.5), none.withSetting("kq", "65"))) {
      assertThatThrownBy(() -> AttentionCatalog.create("dense", wrong))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("'dense' has no");
    }
  }

  @Test
  void unknownSettingsAndPresetsAreAnsweredWithTheKnownOnes() {
    AttentionOptions wrong = AttentionOptions.defaults().withPreset("papr").withSetting("k", "65");
    assertThatThrownBy(() -> wrong.requirePreset("m", List.of("paper", "default")))
        .hasMessage("Attention 'm' has no preset 'papr'. It has: default, paper");
    assertThatThrownBy(() -> wrong.requireSettings("m", List.of("kq", "k0")))
        .hasMessage("Attention 'm' has no setting 'k'. It has: k0, kq");
  }

  @Test
  void densityIsAShare() {
    for (double wrong : new double[] {0, -.1, 1.01, Double.NaN}) {
      assertThatThrownBy(() -> AttentionOptions.defaults().withDensity(wrong))
          .isInstanceOf(UsageException.class);
    }
  }
}
