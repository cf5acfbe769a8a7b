package dev.gossamer.bench.lm;

import dev.gossamer.lm.ModelCount;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.moe.Initialisation;
import dev.gossamer.moe.Initialisation.Start;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Groups;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The model whose structures are compared.
 *
 * @param model as configured, fine-grained or BigMac; what both share is taken from it
 * @param fineGrained its experts in the fine-grained form
 * @param latent narrow width of the BigMac forms
 * @param innerScale inner width in the configuration's terms over a fine-grained one
 */
public record ComparedModel(
    ModelSettings model, FineGrained fineGrained, int latent, double innerScale) {
  private static final double RATIO = 0.25;
  private static final int MULTIPLE = 8;

  /**
   * Reads the base. A BigMac configuration means the fine-grained layer that it matches, and
   * without {@code match} the one whose experts have as many weights.
   *
   * @param data folder of tokens
   * @param ratio latent over hidden width; if not given the configuration's, or 0.25
   * @throws UsageException if it has no such experts
   */
  public static ComparedModel of(TrainConfig config, Path data, Optional<Double> ratio) {
    ModelSettings model = config.settings(data).model();
    ratio.ifPresent(r -> require(r > 0 && r <= 1, "a ratio of " + r, "Use more than 0, at most 1"));
    MoeStructure shape = model.experts().map(MoeSettings::structure).orElse(null);
    if (shape instanceof FineGrained fine) {
      return new ComparedModel(model, fine, latent(fine.hidden(), ratio.orElse(RATIO)), 1);
    }
    if (shape instanceof BigMac bigMac) {
      int latent = ratio.map(r -> latent(bigMac.hidden(), r)).orElse(bigMac.latent());
      boolean matched = config.at("model.experts.match").isTextual();
      return new ComparedModel(
          model,
          matched ? matchedBy(config, bigMac) : nominal(bigMac),
          latent,
          matched ? 1 : (double) bigMac.hidden() / bigMac.latent());
    }
    throw new UsageException(
        "Structures are compared with a fine-grained model, and the configuration has "
            + (shape == null ? "no experts" : "vanilla ones"),
        "Use --set model.structure=fine-grained, with model.experts.count, topK and inner");
  }

  private static FineGrained matchedBy(TrainConfig config, BigMac bigMac) {
    return new FineGrained(
        bigMac.hidden(),
        config.at("model.experts.count").asInt(),
        config.at("model.experts.topK").asInt(),
        config.at("model.experts.inner").asInt(),
        bigMac.body());
  }

  private static FineGrained nominal(BigMac bigMac) {
    long product = (long) bigMac.inner() * bigMac.latent();
    require(
        product % bigMac.hidden() == 0,
        "a fine-grained form: inner width "
            + bigMac.inner()
            + " and latent width "
            + bigMac.latent()
            + " make one of "
            + (double) product / bigMac.hidden(),
        "Use an inner width that makes it whole, or model.experts.match=params");
    int inner = (int) (product / bigMac.hidden());
    return new FineGrained(bigMac.hidden(), bigMac.experts(), bigMac.topK(), inner, bigMac.body());
  }

  private static int latent(int hidden, double ratio) {
    return Math.max(1, (int) Math.round(ratio * hidden));
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No comparison of structures has " + found, remedy);
    }
  }

  /** The same with other experts. */
  ComparedModel withExperts(int count, int inner) {
    FineGrained other =
        new FineGrained(fineGrained.hidden(), count, fineGrained.topK(), inner, fineGrained.body());
    return new ComparedModel(model, other, latent, innerScale);
  }

  /**
   * The whole model of a contestant.
   *
   * @throws UsageException if there is none
   */
  public ModelSettings of(Contestant contestant) {
    return switch (contestant) {
      case VANILLA_TOP1 -> vanilla(1);
      case VANILLA_TOP2 -> vanilla(2);
      case FINE_GRAINED -> with(fineGrained);
      case DENSE -> dense();
      case BIGMAC, BIGMAC_NARROWER, BIGMAC_WIDER, BIGMAC_NOMINAL, BIGMAC_REINVEST ->
          with(bigMac(contestant));
      case BIGMAC_LATENT_NORM ->
          with(bigMac(contestant)).withExperts(moe -> moe.withLatentNorm(true));
      case BIGMAC_LATENT_GATE ->
          with(bigMac(contestant)).withExperts(moe -> moe.withGateReadingLatent(true));
      case BIGMAC_LEVEL ->
          with(bigMac(contestant))
              .withExperts(
                  moe -> moe.withInitialisation(new Initialisation(Start.LEVEL, model.layers())));
    };
  }

  private ModelSettings with(MoeStructure structure) {
    return model.withExperts(moe -> moe.withStructure(structure));
  }

  private BigMac bigMac(Contestant contestant) {
    int width = (int) Math.round(contestant.latentScale() * latent);
    return MatchedSettings.solve(fineGrained, width, contestant.match(), MULTIPLE).matched();
  }

  /** A weight that is divided by itself would not teach the gate: top-1 keeps the softmax's own. */
  private ModelSettings vanilla(int topK) {
    ModelSettings base = with(fineGrained);
    double most =
        MatchedSettings.TOLERANCE / 100 * ModelCount.of(base, base.context()).parameters();
    MoeStructure structure =
        MatchedSettings.vanilla(fineGrained, topK, most / Math.max(1, base.expertLayers()));
    return model.withExperts(
        moe -> {
          RouterSettings router = moe.router();
          return moe.withStructure(structure)
              .withRouter(
                  router
                      .withGroups(Groups.NONE)
                      .withScores(
                          router.scores(), topK > 1 && router.normalise(), router.scaling()));
        });
  }

  private ModelSettings dense() {
    require(
        model.experts().orElseThrow().initialisation().start() != Start.PAPER,
        "a dense model drawn as in the paper",
        "Use model.initialisation=fan-in, or no dense");
    int sequence = model.context();
    double least = ModelCount.of(model.asDense(1), sequence).forwardFlops();
    double wanted = ModelCount.of(with(fineGrained), sequence).forwardFlops();
    double unit = 2.0 * model.layers() * model.dense().body().matrices() * model.hidden();
    return model.asDense((int) Math.max(1, Math.round(1 + (wanted - least) / unit)));
  }
}
