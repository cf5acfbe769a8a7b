package dev.gossamer.bench.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.Initialisation;
import dev.gossamer.moe.Initialisation.Start;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class MatchingCheckTest {
  private static final List<Contestant> ALL = Contestant.protocol();
  private static final Path NO_DATA = Path.of("none"); // the vocabulary is named

  private static TrainConfig tiny() {
    return TrainConfig.preset("tiny").with("model.vocabulary", "257");
  }

  private static ComparedModel model(TrainConfig config) {
    return ComparedModel.of(config, NO_DATA, Optional.empty());
  }

  @Test
  void theTinyPresetIsMatched() {
    MatchingCheck check = MatchingCheck.of(model(tiny()), ALL, 128);
    // 257 x 64 embedding, 5 norms of 64, and in each of 2 layers 4 x 64 x 64 of attention, a gate
    // of 8 x 64 and 8 experts of 2 x 64 x 16.
    long fine = 257 * 64 + 5 * 64 + 2 * (4 * 64 * 64 + 8 * 64 + 8 * 2 * 64 * 16);
    MatchingCheck.Row base = check.row(Contestant.FINE_GRAINED);
    assertThat(base.count().parameters()).isEqualTo(fine);
    assertThat(base.count().activeParameters()).isEqualTo(fine - 2 * 6 * 2 * 64 * 16);
    assertThat(base.parametersOff()).isZero();
    assertThat(check.rows())
        .filteredOn(row -> row.contestant().matched())
        .allSatisfy(row -> assertThat(row.parametersOff()).isBetween(-0.5, 0.5))
        .hasSize(4);
    // Two projections of 64 x 16 in each layer.
    assertThat(check.row(Contestant.BIGMAC_NOMINAL).count().parameters())
        .isEqualTo(fine + 2 * 2 * 64 * 16);
    assertThat(check.row(Contestant.DENSE).flopsOff()).isCloseTo(0, within(0.2));
    assertThat(check.table().plain())
        .contains("bigmac-nominal", "exempt: each expert keeps its weights", "exempt: equal oper");
  }

  @Test
  void theFineGrainedFormIsTheOneThatTheConfigurationMeans() {
    FineGrained meant = new FineGrained(64, 8, 2, 16, model(tiny()).fineGrained().body());
    assertThat(model(tiny()).fineGrained()).isEqualTo(meant);
    TrainConfig matched =
        tiny().with("model.experts.inner", "16").with("model.experts.match", "params");
    assertThat(model(matched).fineGrained()).isEqualTo(meant);
    assertThat(model(matched).latent()).isEqualTo(16);
    TrainConfig plain =
        tiny()
            .with("model.structure", "fine-grained")
            .with("model.experts.inner", "16")
            .with("model.experts.latent", "null");
    assertThat(model(plain).fineGrained()).isEqualTo(meant);
    assertThat(ComparedModel.of(plain, NO_DATA, Optional.of(0.5)).latent()).isEqualTo(32);
  }

  /** Hidden 512, 64 experts of 128, top-8: {@code docs/results/structures.md}. */
  private static ComparedModel wide() {
    return model(
        tiny()
            .with("model.structure", "fine-grained")
            .with("model.hidden", "512")
            .with("model.layers", "8")
            .with("model.heads", "8")
            .with("model.experts.count", "64")
            .with("model.experts.topK", "8")
            .with("model.experts.inner", "128")
            .with("model.experts.latent", "null"));
  }

  @Test
  void theChangedFormsOfBigMacChangeOneThing() {
    MoeSettings bigMac = experts(Contestant.BIGMAC);
    assertThat(shape(Contestant.BIGMAC))
        .isEqualTo(new BigMac(512, 128, 64, 8, 504, ExpertBody.PLAIN));
    assertThat(shape(Contestant.BIGMAC_NARROWER).latent()).isEqualTo(64);
    assertThat(shape(Contestant.BIGMAC_WIDER).latent()).isEqualTo(192);
    assertThat(shape(Contestant.BIGMAC_REINVEST))
        .isEqualTo(new BigMac(512, 128, 256, 32, 128, ExpertBody.PLAIN));
    assertThat(experts(Contestant.BIGMAC_LATENT_NORM)).isEqualTo(bigMac.withLatentNorm(true));
    assertThat(experts(Contestant.BIGMAC_LATENT_GATE))
        .isEqualTo(bigMac.withGateReadingLatent(true));
    assertThat(experts(Contestant.BIGMAC_LEVEL))
        .isEqualTo(bigMac.withInitialisation(new Initialisation(Start.LEVEL, 8)));
    assertThat(MatchingCheck.of(wide(), List.of(Contestant.values()), 256).rows())
        .hasSize(Contestant.values().length);
  }

  private static MoeSettings experts(Contestant contestant) {
    return wide().of(contestant).experts().orElseThrow();
  }

  private static BigMac shape(Contestant contestant) {
    return (BigMac) experts(contestant).structure();
  }

  @Test
  void aTopOneGateKeepsItsGradient() {
    RouterSettings one = model(tiny()).of(Contestant.VANILLA_TOP1).experts().orElseThrow().router();
    RouterSettings two = model(tiny()).of(Contestant.VANILLA_TOP2).experts().orElseThrow().router();
    assertThat(one.normalise()).isFalse();
    assertThat(two.normalise()).isTrue();
  }

  @Test
  void whatCannotBeMatchedIsRefusedWithTheNearestThatCan() {
    TrainConfig few = tiny().with("model.experts.count", "6");
    assertThatThrownBy(() -> MatchingCheck.of(model(few), ALL, 128))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("Cannot make bigmac: No BigMac layer matches by params within 0.5 %")
        .hasMessageContaining("The nearest settings that fit are --set model.experts.count=");
    assertThat(MatchingCheck.of(model(few), List.of(Contestant.FINE_GRAINED), 128).rows())
        .hasSize(1);
    String message = refusal(few);
    TrainConfig near =
        few.with("model.experts.count", after(message, "model.experts.count="))
            .with("model.experts.inner", after(message, "model.experts.inner="));
    assertThat(MatchingCheck.of(model(near), ALL, 128).rows()).hasSize(ALL.size());
  }

  private static String refusal(TrainConfig config) {
    try {
      MatchingCheck.of(model(config), ALL, 128);
      throw new AssertionError("not refused");
    } catch (UsageException e) {
      return e.getMessage();
    }
  }

  private static String after(String text, String key) {
    return text.substring(text.indexOf(key) + key.length()).split("\\D", 2)[0];
  }

  @Test
  void aComparisonNeedsFineGrainedExperts() {
    TrainConfig dense =
        tiny()
            .with("model.structure", "dense")
            .with("model.experts", "null")
            .with("model.router", "null");
    assertThatThrownBy(() -> model(dense))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("the configuration has no experts");
    assertThatThrownBy(() -> model(tiny().with("model.experts.inner", "62")))
        .hasMessageContaining("make one of 15.5");
    assertThatThrownBy(() -> MatchingCheck.of(model(tiny()), List.of(Contestant.BIGMAC), 128))
        .hasMessageContaining("Add it to --arms");
  }
}
