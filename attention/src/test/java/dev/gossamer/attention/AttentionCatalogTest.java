package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionCatalogTest {
  @Test
  void findsTheMethodsOrderedByName() {
    assertThat(AttentionCatalog.providers().stream().map(AttentionProvider::name))
        .containsExactly("adacluster", "dense", "sparge", "svg2");
  }

  @Test
  void describesEachMethodInOneLine() {
    assertThat(AttentionCatalog.providers())
        .allSatisfy(
            provider ->
                assertThat(provider.description())
                    .isNotBlank()
                    .doesNotContain("\n")
                    .doesNotEndWith("."));
  }

  @ParameterizedTest
  @ValueSource(strings = {"adacluster", "dense", "sparge", "svg2"})
  void makesAMethodThatKnowsItsName(String name) {
    AttentionMethod method = AttentionCatalog.create(name, AttentionOptions.defaults());
    assertThat(method.name()).isEqualTo(name);
    assertThat(method.settings().isEmpty()).isEqualTo(name.equals("dense"));
  }

  @Test
  void refusesAnUnknownMethodAndNamesTheKnownOnes() {
    assertThatThrownBy(() -> AttentionCatalog.create("flash", AttentionOptions.defaults()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("'flash'")
        .hasMessageContaining("adacluster, dense, sparge, svg2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"adacluster", "dense", "sparge", "svg2"})
  void refusesAPresetThatTheMethodLacks(String name) {
    assertThatThrownBy(
            () -> AttentionCatalog.create(name, AttentionOptions.defaults().withPreset("turbo")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("'turbo'")
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"adacluster", "dense", "sparge", "svg2"})
  void refusesASettingThatTheMethodLacks(String name) {
    assertThatThrownBy(
            () ->
                AttentionCatalog.create(
                    name, AttentionOptions.defaults().withSetting("speed", "high")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("'speed'")
        .hasMessageNotContaining("\n");
  }

  @Test
  void densityIsForSparseMethodsOnly() {
    AttentionOptions third = AttentionOptions.defaults().withDensity(0.3);
    assertThatThrownBy(() -> AttentionCatalog.create("dense", third))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("density");
    for (String name : new String[] {"adacluster", "sparge", "svg2"}) {
      assertThat(AttentionCatalog.create(name, third).settings())
          .containsEntry("rule", "budget(0.3)");
    }
  }
}
