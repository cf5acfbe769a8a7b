package dev.gossamer.moe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.MoeStructure.Vanilla;
import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;

class MoeStructureTest {
  private static final FineGrained FINE = new FineGrained(1024, 64, 8, 256, ExpertBody.PLAIN);
  private static final BigMac NARROW = new BigMac(1024, 256, 64, 8, 1024, ExpertBody.PLAIN);

  @Test
  void anExpertOfBigMacWeighsAsMuchAsAFineGrainedOne() {
    assertThat(NARROW.weightsPerExpert()).isEqualTo(FINE.weightsPerExpert()).isEqualTo(524_288);
    assertThat(NARROW.biasesPerExpert()).isEqualTo(FINE.biasesPerExpert()).isEqualTo(1280);
    assertThat(NARROW.expertWeights()).isEqualTo(64 * 524_288L);
  }

  @Test
  void onlyBigMacHasProjectionsAndNarrowRows() {
    assertThat(FINE.projectionWeights()).isZero();
    assertThat(NARROW.projectionWeights()).isEqualTo(2 * 1024 * 256);
    assertThat(FINE.wireElementsPerToken()).isEqualTo(8 * 1024);
    assertThat(NARROW.wireElementsPerToken()).isEqualTo(8 * 256);
    assertThat(NARROW.ratio()).isEqualTo(0.25);
  }

  @Test
  void gatedExpertsHaveThreeMatrices() {
    Vanilla gated = new Vanilla(8, 4, 2, 32, ExpertBody.GATED);
    assertThat(gated.weightsPerExpert()).isEqualTo(3 * 8 * 32);
    assertThat(gated.biasesPerExpert()).isEqualTo(2 * 32 + 8);
    assertThat(gated.activeWeights()).isEqualTo(2 * 3 * 8 * 32 + 4 * 8);
  }

  @Test
  void refusesShapesThatCannotBe() {
    assertThatThrownBy(() -> new FineGrained(8, 4, 5, 2, ExpertBody.PLAIN))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("top-5 of 4 experts");
    assertThatThrownBy(() -> new BigMac(8, 9, 4, 2, 16, ExpertBody.PLAIN))
        .hasMessageContaining("latent width 9");
    assertThatThrownBy(() -> new Vanilla(0, 4, 2, 16, ExpertBody.PLAIN))
        .hasMessageContaining("hidden width 0");
    assertThatThrownBy(() -> new Vanilla(8, 0, 2, 16, ExpertBody.PLAIN))
        .hasMessageContaining("0 experts");
    assertThatThrownBy(() -> new Vanilla(8, 4, 0, 16, ExpertBody.PLAIN))
        .hasMessageContaining("top-0");
    assertThatThrownBy(() -> new Vanilla(8, 4, 2, 0, ExpertBody.PLAIN))
        .hasMessageContaining("inner width 0");
  }
}
