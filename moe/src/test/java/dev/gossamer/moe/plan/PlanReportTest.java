package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.parallel.Dispatch;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PlanReportTest {
  private static final PlannedModel MODEL = PlannedModel.preset("gpt3-medium");
  private static final ClusterProfile CLUSTER = ClusterProfile.preset("h100-infiniband");

  private static PlanReport report(PlannedModel model, ClusterProfile cluster) {
    return PlanReport.of(model, cluster, PlanSettings.of(model, cluster));
  }

  @Test
  void theExampleOfThePackageRuns() {
    ClusterProfile cluster = ClusterProfile.preset("h100-infiniband");
    PlannedModel model = PlannedModel.preset("gpt3-xl").withTopK(4);
    PlanSettings settings = PlanSettings.of(model, cluster).withRanks(64, model, cluster);
    PlanReport report = PlanReport.of(model, cluster, settings);
    assertThat(report.verdict().text()).startsWith("BigMac pays: ");
  }

  @Test
  void sweepsRanksToThousandsAndTopK() {
    PlanReport report = report(MODEL, CLUSTER);
    assertThat(report.ranks().get(0).value()).isEqualTo(8);
    assertThat(report.ranks().get(report.ranks().size() - 1).value()).isEqualTo(4096);
    assertThat(report.topK()).extracting(PlanPoint::value).contains(1.0, 2.0, 4.0, 6.0, 8.0);
    assertThat(report.sensitivity()).extracting(PlanPoint::value).containsExactly(0.8, 1.0, 1.2);
    assertThat(report.sensitivity().get(0).speedUp())
        .isGreaterThan(report.sensitivity().get(2).speedUp());
    assertThat(report.sensitivity().get(1).speedUp())
        .isCloseTo(report.verdict().speedUp(), within(1e-12));
  }

  @Test
  void comparesEveryDispatchBetweenNodes() {
    PlanReport report = report(MODEL, CLUSTER);
    assertThat(report.rows())
        .filteredOn(row -> row.kind() == StructureKind.BIGMAC)
        .extracting(PlanRow::dispatch)
        .containsExactly(Dispatch.values());
    assertThat(report(MODEL, ClusterProfile.preset("pcie-host")).rows()).hasSize(3);
  }

  @Test
  void leavesOutWhatCannotBe() {
    PlannedModel odd = MODEL.withExperts(new FineGrained(1024, 60, 6, 320, ExpertBody.GATED));
    assertThat(report(odd, CLUSTER).rows()).noneMatch(row -> row.kind() == StructureKind.VANILLA);
    PlanPoint topOne = report(MODEL.withMatch(Match.FLOPS), CLUSTER).topK().get(0);
    assertThat(topOne.row(StructureKind.BIGMAC)).isEmpty();
    assertThat(topOne.speedUp()).isNaN();
  }

  @Test
  void aLargeModelDoesNotFit() {
    PlanReport report = report(PlannedModel.preset("gpt3-6.7b"), CLUSTER);
    PlanRow row = report.row(StructureKind.FINE_GRAINED);
    assertThat(report.fits(row)).isEqualTo(row.memory().total() <= 80e9);
    PlannedModel huge = PlannedModel.preset("gpt3-6.7b").withLength(400, 2048, 50_304);
    assertThat(report(huge, CLUSTER).fits(report(huge, CLUSTER).row(StructureKind.BIGMAC)))
        .isFalse();
  }

  @Test
  void theDocumentHoldsWhatWasAskedAndFound() {
    Map<String, Object> document = report(MODEL, CLUSTER).document();
    assertThat(document)
        .containsOnlyKeys(
            "model",
            "cluster",
            "settings",
            "matched",
            "rows",
            "ranks",
            "topK",
            "sensitivity",
            "verdict");
    assertThat((List<?>) document.get("rows")).hasSize(7);
  }
}
