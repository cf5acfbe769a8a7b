package dev.gossamer.lm;

import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.Initialisation;
import dev.gossamer.moe.Initialisation.Start;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.SharedSettings;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Groups;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.settings.Words;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A model as a JSON object. What is read has defaults and may be short ({@code ratio}, {@code
 * match}); what is written is complete and means the same whatever the defaults become.
 */
public final class ModelDocument {
  private static final int MULTIPLE = 8;

  private ModelDocument() {}

  /** What a feed-forward network with experts looks like. */
  private enum Structure {
    DENSE,
    VANILLA,
    FINE_GRAINED,
    BIGMAC
  }

  /**
   * @throws dev.gossamer.tensor.failure.BadInputException if a key is unknown, missing or wrong
   */
  public static ModelSettings read(SettingsFile file) {
    return file.build(
        () -> {
          int hidden = file.whole("hidden");
          int heads = file.whole("heads");
          int layers = file.whole("layers");
          ExpertBody body = file.flag("gated", false) ? ExpertBody.GATED : ExpertBody.PLAIN;
          ExpertActivation activation =
              file.choice("activation", ExpertActivation.class, ExpertActivation.GELU);
          Structure structure = file.choice("structure", Structure.class, Structure.BIGMAC);
          Initialisation drawn =
              new Initialisation(file.choice("initialisation", Start.class, Start.LEVEL), layers);
          SettingsFile experts = file.part("experts");
          SettingsFile router = file.part("router");
          if (structure == Structure.DENSE && (file.has("experts") || file.has("router"))) {
            throw new UsageException(
                "A dense model has no experts and no router",
                "Leave them out, or name a structure");
          }
          return new ModelSettings(
              file.whole("vocabulary"),
              hidden,
              layers,
              file.whole("context"),
              AttentionDocument.read(file, hidden, heads),
              file.choice("norm", NormKind.class, NormKind.RMS),
              file.real("normEps", 1e-5),
              file.flag("tied", true),
              new DenseSettings(file.whole("inner", 4 * hidden), body, activation),
              structure == Structure.DENSE
                  ? Optional.empty()
                  : Optional.of(
                      experts.build(
                          () ->
                              experts(
                                  experts, router, structure, hidden, body, activation, drawn))),
              where(experts));
        });
  }

  private static ExpertLayers where(SettingsFile experts) {
    return new ExpertLayers(
        experts.whole("firstDense", 0), experts.whole("every", 1), experts.wholes("denseLayers"));
  }

  private static MoeSettings experts(
      SettingsFile file,
      SettingsFile router,
      Structure structure,
      int hidden,
      ExpertBody body,
      ExpertActivation activation,
      Initialisation start) {
    MoeStructure shape = structure(file, structure, hidden, body);
    where(file); // read with the model, known here
    return new MoeSettings(
        shape,
        router.build(() -> router(router, shape.topK())),
        activation,
        file.flag("bias", false),
        file.flag("projectionBias", false),
        file.flag("latentNorm", false),
        file.flag("gateReadsLatent", false),
        new SharedSettings(file.whole("sharedInner", 0), file.flag("sharedGate", false)),
        ParallelSettings.DEFAULT,
        start);
  }

  private static MoeStructure structure(
      SettingsFile file, Structure structure, int hidden, ExpertBody body) {
    int experts = file.whole("count");
    int topK = file.whole("topK");
    int inner = file.whole("inner");
    if (structure != Structure.BIGMAC) {
      return structure == Structure.VANILLA
          ? new MoeStructure.Vanilla(hidden, experts, topK, inner, body)
          : new MoeStructure.FineGrained(hidden, experts, topK, inner, body);
    }
    if (file.has("latent") && file.has("ratio")) {
      throw new UsageException("Both a latent width and a ratio", "Name one of them");
    }
    int latent = file.whole("latent", (int) Math.round(file.real("ratio", 0.25) * hidden));
    if (!file.has("match")) {
      return new MoeStructure.BigMac(hidden, latent, experts, topK, inner, body);
    }
    Match match = file.choice("match", Match.class, Match.NOMINAL);
    MoeStructure.FineGrained base =
        new MoeStructure.FineGrained(hidden, experts, topK, inner, body);
    return MatchedSettings.solve(base, latent, match, MULTIPLE).matched();
  }

  private static RouterSettings router(SettingsFile file, int topK) {
    RouterSettings usual = RouterSettings.DEFAULT;
    int top = file.whole("topGroups", usual.groups().top());
    return new RouterSettings(
        file.choice("scores", RouterSettings.Scores.class, usual.scores()),
        file.flag("normalise", topK > 1),
        file.real("scaling", usual.scaling()),
        new Groups(
            file.whole("groups", usual.groups().count()),
            top,
            file.whole("groupBest", Math.max(1, topK / Math.max(1, top)))),
        file.real("balance", usual.balance()),
        file.choice("scope", RouterSettings.Scope.class, usual.scope()),
        file.real("zLoss", usual.zLoss()),
        file.real("capacity", usual.capacity()),
        file.choice("drop", RouterSettings.Drop.class, usual.drop()));
  }

  /** The same as an object of JSON, complete. */
  public static Map<String, Object> of(ModelSettings model) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("structure", Words.of(structure(model)));
    document.put("vocabulary", model.vocabulary());
    document.put("hidden", model.hidden());
    document.put("layers", model.layers());
    document.put("context", model.context());
    AttentionDocument.write(document, model.attention());
    document.put("norm", Words.of(model.norm()));
    document.put("normEps", model.normEps());
    document.put("tied", model.tied());
    document.put("inner", model.dense().inner());
    document.put("gated", model.dense().body() == ExpertBody.GATED);
    document.put("activation", Words.of(model.dense().activation()));
    Start start = model.experts().map(moe -> moe.initialisation().start()).orElse(Start.FAN_IN);
    document.put("initialisation", Words.of(start));
    model
        .experts()
        .ifPresent(
            moe -> {
              document.put("experts", experts(model, moe));
              document.put("router", router(moe.router()));
            });
    return document;
  }

  private static Structure structure(ModelSettings model) {
    MoeStructure shape = model.experts().map(MoeSettings::structure).orElse(null);
    if (shape == null) {
      return Structure.DENSE;
    }
    return shape instanceof MoeStructure.BigMac
        ? Structure.BIGMAC
        : shape instanceof MoeStructure.Vanilla ? Structure.VANILLA : Structure.FINE_GRAINED;
  }

  private static Map<String, Object> experts(ModelSettings model, MoeSettings moe) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("count", moe.structure().experts());
    document.put("topK", moe.structure().topK());
    document.put("inner", moe.structure().inner());
    if (moe.structure() instanceof MoeStructure.BigMac bigMac) {
      document.put("latent", bigMac.latent());
    }
    document.put("sharedInner", moe.shared().inner());
    if (moe.shared().gated()) {
      document.put("sharedGate", true);
    }
    document.put("bias", moe.expertBias());
    document.put("projectionBias", moe.projectionBias());
    document.put("latentNorm", moe.latentNorm());
    document.put("gateReadsLatent", moe.gateReadsLatent());
    document.put("firstDense", model.where().firstDense());
    document.put("every", model.where().every());
    if (!model.where().dense().isEmpty()) {
      document.put("denseLayers", model.where().dense());
    }
    return document;
  }

  private static Map<String, Object> router(RouterSettings router) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("scores", Words.of(router.scores()));
    document.put("normalise", router.normalise());
    document.put("scaling", router.scaling());
    document.put("groups", router.groups().count());
    document.put("topGroups", router.groups().top());
    if (router.groups().count() > 1) {
      document.put("groupBest", router.groups().best());
    }
    document.put("balance", router.balance());
    document.put("scope", Words.of(router.scope()));
    document.put("zLoss", router.zLoss());
    if (!Double.isInfinite(router.capacity())) {
      document.put("capacity", router.capacity());
    }
    document.put("drop", Words.of(router.drop()));
    return document;
  }
}
