package dev.gossamer.moe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.MoeStructure.Vanilla;
import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class MatchedSettingsTest {
  private static FineGrained paper(int hidden, int topK) {
    return new FineGrained(hidden, 64, topK, hidden / 4, ExpertBody.PLAIN);
  }

  private static MatchedSettings solved(FineGrained base, Match match) {
    return MatchedSettings.solve(base, base.hidden() / 4, match, 32);
  }

  /** The widths of the four base models in moe.md 1.3. */
  @ParameterizedTest
  @CsvSource({
    "1024, 1024, 1008, 896, 768",
    "2048, 2048, 2016, 1792, 1536",
    "2560, 2560, 2520, 2240, 1920",
    "4096, 4096, 4032, 3584, 3072"
  })
  void narrowsExpertsByWhatTheProjectionsWeigh(
      int hidden, int nominal, int params, int flops8, int flops4) {
    assertThat(solved(paper(hidden, 8), Match.NOMINAL).exactInner()).isEqualTo(nominal);
    assertThat(solved(paper(hidden, 8), Match.PARAMS).exactInner()).isEqualTo(params);
    assertThat(solved(paper(hidden, 8), Match.FLOPS).exactInner()).isEqualTo(flops8);
    assertThat(solved(paper(hidden, 4), Match.FLOPS).exactInner()).isEqualTo(flops4);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "REINVEST")
  void matchesWithinHalfAPercent(Match match) {
    for (int hidden : new int[] {256, 512, 768, 1024, 2048, 2560, 4096, 7168}) {
      for (int topK : new int[] {4, 8, 22}) {
        for (ExpertBody body : ExpertBody.values()) {
          FineGrained base = new FineGrained(hidden, 64, topK, hidden / 4, body);
          MatchedSettings matched = solved(base, match);
          assertThat(matched.residual()).isLessThanOrEqualTo(MatchedSettings.TOLERANCE);
          assertThat(matched.matched().inner() % matched.multiple()).isZero();
          assertThat(matched.matched().inner()).isGreaterThan(matched.matched().latent());
        }
      }
    }
  }

  /** 1008 is no multiple of 32; rounded to one, weights would be 1.6 % off. */
  @Test
  void roundsFinerWhereTheCoarseMultipleIsTooFarOff() {
    MatchedSettings matched = solved(paper(1024, 8), Match.PARAMS);
    assertThat(matched.matched().inner()).isEqualTo(1008);
    assertThat(matched.multiple()).isEqualTo(16);
    assertThat(matched.weightResidual()).isZero();
  }

  @Test
  void saysWhatStaysUnequal() {
    MatchedSettings nominal = solved(paper(1024, 8), Match.NOMINAL);
    assertThat(nominal.residual()).isZero();
    assertThat(nominal.weightResidual()).isCloseTo(100.0 / 64, within(1e-9));
    assertThat(nominal.activeResidual()).isCloseTo(12.5, within(1e-9));
    MatchedSettings flops = solved(paper(1024, 8), Match.FLOPS);
    assertThat(flops.activeResidual()).isZero();
    assertThat(flops.weightResidual()).isNegative();
  }

  @Test
  void reinvestsTheSavedBytesInExperts() {
    BigMac more = solved(paper(1024, 8), Match.REINVEST).matched();
    assertThat(more.experts()).isEqualTo(256);
    assertThat(more.topK()).isEqualTo(32);
    assertThat(more.inner()).isEqualTo(256);
    assertThat(more.wireElementsPerToken()).isEqualTo(paper(1024, 8).wireElementsPerToken());
    assertThat(more.expertWeights()).isEqualTo(paper(1024, 8).expertWeights());
  }

  @Test
  void joinsFineExpertsToVanillaOnes() {
    Vanilla vanilla = MatchedSettings.vanilla(paper(2048, 8));
    assertThat(vanilla).isEqualTo(new Vanilla(2048, 4, 1, 8192, ExpertBody.PLAIN));
    assertThat(vanilla.expertWeights()).isEqualTo(paper(2048, 8).expertWeights());
    assertThatThrownBy(
            () -> MatchedSettings.vanilla(new FineGrained(2048, 64, 8, 1000, ExpertBody.PLAIN)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("do not join");
  }

  @Test
  void vanillaLayersOfEqualWeightsCountTheGate() {
    FineGrained ofPaper = paper(2048, 8);
    // 60 gate rows of 2048 less make 7.5 more of each of 4 experts: 8199.5, in eights 8200.
    assertThat(MatchedSettings.vanilla(ofPaper, 2, 0.001 * ofPaper.expertWeights()))
        .isEqualTo(new Vanilla(2048, 4, 2, 8200, ExpertBody.PLAIN));
    // Four are 32.5 wide, half a unit of 512 weights off; five are 25.9, off by 64.
    FineGrained small = new FineGrained(64, 8, 2, 16, ExpertBody.PLAIN);
    assertThat(MatchedSettings.vanilla(small, 1, 256))
        .isEqualTo(new Vanilla(64, 4, 1, 32, ExpertBody.PLAIN));
    assertThat(MatchedSettings.vanilla(small, 1, 255))
        .isEqualTo(new Vanilla(64, 5, 1, 26, ExpertBody.PLAIN));
    assertThatThrownBy(() -> MatchedSettings.vanilla(small, 1, 63))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("No 4 to 7 vanilla experts");
  }

  @Test
  void refusesWithTheReason() {
    assertThatThrownBy(() -> solved(paper(1024, 1), Match.FLOPS))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("matches by flops")
        .hasMessageContaining("inner width of 0, not above the latent width 256");
    assertThatThrownBy(() -> MatchedSettings.solve(paper(1024, 8), 1024, Match.NOMINAL, 32))
        .hasMessageContaining("inner width of 256, not above the latent width 1024");
    assertThatThrownBy(() -> MatchedSettings.solve(paper(16, 8), 4, Match.PARAMS, 32))
        .hasMessageContaining("too small to round");
    assertThatThrownBy(() -> MatchedSettings.solve(paper(1024, 8), 300, Match.REINVEST, 32))
        .hasMessageContaining("divides the hidden width");
    assertThatThrownBy(() -> MatchedSettings.solve(paper(1024, 8), 0, Match.NOMINAL, 32))
        .hasMessageContaining("latent width of 0");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -8, 24})
  void refusesMultiplesThatAreNoPowersOfTwo(int multiple) {
    assertThatThrownBy(() -> MatchedSettings.solve(paper(1024, 8), 256, Match.PARAMS, multiple))
        .hasMessageContaining("multiples of " + multiple);
  }
}
