package dev.gossamer.bench.lm;

import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.MoeStructure.Vanilla;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.CostModel;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.moe.plan.PlannedModel;
import dev.gossamer.moe.plan.StructureKind;
import dev.gossamer.tensor.failure.UsageException;

/**
 * What a step of each contestant would take on the paper's cluster, by the planner: the paper's
 * GPT3-Medium with 64 experts, 32 ranks of 4,096 tokens, with the structure of the contestant and
 * its top-k. Modelled, not measured.
 *
 * @param topK experts per token of the fine-grained form
 * @param ratio latent over hidden width of BigMac
 */
record ModelledCluster(int topK, double ratio) {
  static final String MODEL = "gpt3-medium";
  static final String CLUSTER = "paper-cluster";

  /** Seconds of a step; NaN if the paper's shape has no such structure. */
  double stepSeconds(Contestant contestant) {
    try {
      PlannedModel model =
          PlannedModel.preset(MODEL).withTopK(topK).withRatio(contestant.latentScale() * ratio);
      ClusterProfile cluster = ClusterProfile.preset(CLUSTER);
      CostModel cost = new CostModel(model, cluster, PlanSettings.of(model, cluster));
      return cost.row(kind(contestant), structure(contestant, model)).time().total();
    } catch (UsageException e) {
      return Double.NaN;
    }
  }

  private static StructureKind kind(Contestant contestant) {
    return switch (contestant) {
      case VANILLA_TOP1, VANILLA_TOP2, DENSE -> StructureKind.VANILLA;
      case FINE_GRAINED -> StructureKind.FINE_GRAINED;
      default -> StructureKind.BIGMAC;
    };
  }

  private static MoeStructure structure(Contestant contestant, PlannedModel model) {
    FineGrained fine = model.experts();
    return switch (contestant) {
      case VANILLA_TOP1 -> vanilla(fine, 1);
      case VANILLA_TOP2 -> vanilla(fine, 2);
      case FINE_GRAINED -> fine;
      // One expert that every token visits at home.
      case DENSE -> new Vanilla(fine.hidden(), 1, 1, fine.topK() * fine.inner(), fine.body());
      default -> model.withMatch(contestant.match()).matched().matched();
    };
  }

  private static MoeStructure vanilla(FineGrained fine, int topK) {
    double most = MatchedSettings.TOLERANCE / 100 * fine.expertWeights();
    return MatchedSettings.vanilla(fine, topK, most);
  }
}
