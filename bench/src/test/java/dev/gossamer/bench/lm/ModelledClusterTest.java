package dev.gossamer.bench.lm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.PlanReport;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.moe.plan.PlannedModel;
import dev.gossamer.moe.plan.StructureKind;
import org.junit.jupiter.api.Test;

class ModelledClusterTest {
  @Test
  void isWhatThePlannerSaysOfThePapersModel() {
    PlannedModel model = PlannedModel.preset("gpt3-medium").withTopK(4);
    ClusterProfile cluster = ClusterProfile.preset("paper-cluster");
    PlanReport plan = PlanReport.of(model, cluster, PlanSettings.of(model, cluster));
    ModelledCluster modelled = new ModelledCluster(4, 0.25);
    assertThat(modelled.stepSeconds(Contestant.FINE_GRAINED))
        .isEqualTo(plan.row(StructureKind.FINE_GRAINED).time().total());
    assertThat(modelled.stepSeconds(Contestant.BIGMAC_NOMINAL))
        .isEqualTo(plan.row(StructureKind.BIGMAC).time().total());
    assertThat(modelled.stepSeconds(Contestant.BIGMAC))
        .isLessThan(modelled.stepSeconds(Contestant.BIGMAC_NOMINAL));
  }

  @Test
  void aTopKThatThePapersShapeDoesNotHaveHasNoTime() {
    assertThat(new ModelledCluster(65, 0.25).stepSeconds(Contestant.BIGMAC)).isNaN();
  }
}
