package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {
  private static final long GB = 1_000_000_000;

  private final ToyModel model = new ToyModel();
  private final VideoRequest request = model.defaults().request("cat", new DenseAttention());
  private final ModelOptions options = ModelOptions.defaults();

  MemoryPlanTest() {
    model.weights = 10 * GB; // 20 in float32
    model.work = 8 * GB;
  }

  private MemoryPlan plan(ModelOptions with, long free) {
    return MemoryPlan.of(model, request, with, OptionalLong.of(free));
  }

  @Test
  void keepsAllPartsWhereTheyFitAtOnce() {
    MemoryPlan plan = plan(options, 100 * GB);
    assertThat(plan.residency()).isEqualTo(Residency.KEEP);
    assertThat(plan.needed()).isBetween(68 * GB, 69 * GB);
  }

  @Test
  void loadsOnePartAtATimeWhereTheyDoNot() {
    MemoryPlan plan = plan(options, 40 * GB);
    assertThat(plan.residency()).isEqualTo(Residency.STAGED);
    assertThat(plan.needed()).isBetween(28 * GB, 29 * GB);
    assertThat(plan.fits()).isTrue();
  }

  @Test
  void countsLoadedWeightsAsFree() {
    model.load(VideoPart.TRANSFORMER);
    assertThat(plan(options, 40 * GB).free()).hasValue(60 * GB);
  }

  @Test
  void fitsWhereNobodyKnowsWhatIsFree() {
    assertThat(MemoryPlan.of(model, request, options, OptionalLong.empty()).fits()).isTrue();
  }

  @Test
  void namesTheOptionThatWouldMakeItFit() {
    refused(options.withResidency(Residency.KEEP), 40 * GB, "Use --residency staged");
    refused(options, 20 * GB, "Use --dtype bf16");
    refused(options, 15 * GB, "Use --dtype bf16 --tiles on");
    refused(options, 12 * GB, "Use --dtype bf16 --tiles on --frames 1");
    refused(options, 5 * GB, "use a machine with more memory");
  }

  private void refused(ModelOptions with, long free, String remedy) {
    assertThatThrownBy(() -> plan(with, free).check(model, request, with))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("are free")
        .hasMessageEndingWith(remedy);
  }

  @Test
  void advisesNothingAboutWhatFits() {
    assertThat(plan(options, 40 * GB).remedy(model, request, options)).isEmpty();
    assertThat(plan(options, 20 * GB).remedy(model, request, options))
        .isEqualTo("Use --dtype bf16");
  }

  @Test
  void letsPassWhatFits() {
    assertThatCode(() -> plan(options, 40 * GB).check(model, request, options))
        .doesNotThrowAnyException();
  }
}
