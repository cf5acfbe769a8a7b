package dev.gossamer.moe.plan;

import static dev.gossamer.moe.plan.StructureKind.BIGMAC;
import static dev.gossamer.moe.plan.StructureKind.FINE_GRAINED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PaperFormulasTest {
  private static final PlannedModel XL = PlannedModel.preset("gpt3-xl");

  private static String figure(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }

  private static double more(double ours, double theirs) {
    return 100 * (ours / theirs - 1);
  }

  @Test
  void table4ComesOutDigitByDigit() {
    PaperFormulas table = PaperFormulas.ofTable4(XL);
    assertThat(figure(table.parameters(FINE_GRAINED) / 1e9)).isEqualTo("3.73");
    assertThat(figure(table.parameters(BIGMAC) / 1e9)).isEqualTo("3.78");
    assertThat(figure(more(table.parameters(BIGMAC), table.parameters(FINE_GRAINED))))
        .isEqualTo("1.35");
    assertThat(figure(table.flops(FINE_GRAINED) / 1e12)).isEqualTo("3490.67");
    assertThat(figure(table.flops(BIGMAC) / 1e12)).isEqualTo("3649.00");
    assertThat(figure(more(table.flops(BIGMAC), table.flops(FINE_GRAINED)))).isEqualTo("4.54");
    assertThat(table.allToAllBytes(FINE_GRAINED) / (1L << 30)).isEqualTo(1488);
    assertThat(table.allToAllBytes(BIGMAC) / (1L << 30)).isEqualTo(372);
  }

  /** The vocabulary that the paper names misses the FLOPs in the last digits. */
  @Test
  void table4NeedsThePaddedVocabulary() {
    PaperFormulas unpadded = PaperFormulas.ofTable4(XL.withLength(24, 2048, 50_257));
    assertThat(figure(unpadded.flops(FINE_GRAINED) / 1e12)).isEqualTo("3490.37");
    assertThat(figure(unpadded.flops(BIGMAC) / 1e12)).isEqualTo("3648.70");
  }

  /** The table of moe.md 1.3, which takes the unpadded vocabulary. */
  @ParameterizedTest
  @CsvSource({
    "gpt3-medium, 0.96, 0.97, 1.31, 4.15, 3.56",
    "gpt3-xl, 3.73, 3.78, 1.35, 5.54, 4.54",
    "gpt3-2.7b, 7.68, 7.79, 1.37, 6.09, 4.90",
    "gpt3-6.7b, 19.54, 19.81, 1.37, 6.77, 5.33"
  })
  void theBaseModelsComeOut(
      String name,
      String fineGrained,
      String bigMac,
      String moreParameters,
      String moreFlops4,
      String moreFlops8) {
    PlannedModel preset = PlannedModel.preset(name);
    PlannedModel model = preset.withLength(preset.layers(), 2048, 50_257);
    PaperFormulas top8 = PaperFormulas.ofTable4(model);
    PaperFormulas top4 = PaperFormulas.ofTable4(model.withTopK(4));
    assertThat(figure(top8.parameters(FINE_GRAINED) / 1e9)).isEqualTo(fineGrained);
    assertThat(figure(top8.parameters(BIGMAC) / 1e9)).isEqualTo(bigMac);
    assertThat(figure(more(top8.parameters(BIGMAC), top8.parameters(FINE_GRAINED))))
        .isEqualTo(moreParameters);
    assertThat(figure(more(top4.flops(BIGMAC), top4.flops(FINE_GRAINED)))).isEqualTo(moreFlops4);
    assertThat(figure(more(top8.flops(BIGMAC), top8.flops(FINE_GRAINED)))).isEqualTo(moreFlops8);
  }

  /** Expert biases (1-r)h more per expert, the gate in every layer, and its FLOPs. */
  @Test
  void theCountDiffersByWhatTheFormulasLeaveOut() {
    for (StructureKind kind : new StructureKind[] {FINE_GRAINED, BIGMAC}) {
      TransformerCount count = new TransformerCount(XL, XL.structure(kind).orElseThrow());
      PaperFormulas formulas = PaperFormulas.ofTable4(XL);
      double biases = 24 * 64 * (1.25 - 0.5) * 2048;
      double gates = 23 * 64 * 2048;
      assertThat(count.parameters() - formulas.parameters(kind)).isEqualTo(biases + gates);
      double gateFlops = 3 * 2 * 24 * 64 * 2048 * formulas.tokens();
      assertThat(3 * count.flops() * formulas.tokens() - formulas.flops(kind))
          .isCloseTo(gateFlops, within(1e-9 * gateFlops));
    }
  }

  @Test
  void aTokenMeetsFewerParametersThanThereAre() {
    TransformerCount count = new TransformerCount(XL, XL.experts());
    long idle = 24L * 56 * (XL.experts().weightsPerExpert() + XL.experts().biasesPerExpert());
    assertThat(count.parameters() - count.activeParameters()).isEqualTo(idle);
  }

  @Test
  void hasNoFormulaForVanilla() {
    assertThatThrownBy(() -> PaperFormulas.ofTable4(XL).flops(StructureKind.VANILLA))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
