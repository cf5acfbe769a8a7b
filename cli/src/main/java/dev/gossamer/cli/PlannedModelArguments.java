package dev.gossamer.cli;

import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.plan.PlannedModel;
import dev.gossamer.tensor.settings.Words;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The options that name or shape a model to plan. */
final class PlannedModelArguments {
  @Option(
      names = "--model",
      paramLabel = "NAME|FILE",
      description =
          "gpt3-medium, gpt3-xl, gpt3-2.7b or gpt3-6.7b with 64 experts, top-8, as in the paper, or"
              + " a JSON file (default: ${DEFAULT-VALUE}).")
  private String model = PlannedModel.PRESETS.get(0);

  @Option(
      names = "--hidden",
      paramLabel = "N",
      description = "Hidden width (default: the model's).")
  private Integer hidden;

  @Option(names = "--layers", paramLabel = "N", description = "Layers (default: the model's).")
  private Integer layers;

  @Option(
      names = "--sequence",
      paramLabel = "N",
      description = "Tokens of a sequence (default: the model's).")
  private Integer sequence;

  @Option(
      names = "--experts",
      paramLabel = "N",
      description = "Routed experts of the fine-grained structure (default: the model's).")
  private Integer experts;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Routed experts that a token visits (default: the model's).")
  private Integer topK;

  @Option(
      names = "--inner",
      paramLabel = "N",
      description =
          "Inner width of a fine-grained expert (default: the model's; with --hidden a quarter of"
              + " it).")
  private Integer inner;

  @Option(
      names = "--gated",
      description = "Experts have three matrices (default: the model's, mostly two).")
  private boolean gated;

  @Option(
      names = "--ratio",
      paramLabel = "R",
      description =
          "Latent over hidden width of BigMac, above 0 to 1 (default: the model's, 0.25).")
  private Double ratio;

  @Option(
      names = "--match",
      paramLabel = "NAME",
      description =
          "What BigMac has in common with fine-grained: nominal (each expert's weights), params (all"
              + " weights), flops (active weights), reinvest (bytes, with more experts) (default: the"
              + " model's, nominal).")
  private String match;

  /**
   * @throws dev.gossamer.tensor.failure.GossamerException if there is no such model, or its file is
   *     wrong
   */
  PlannedModel model() {
    PlannedModel base =
        PlanArguments.isFile(model)
            ? PlannedModel.read(Path.of(model))
            : PlannedModel.preset(model);
    FineGrained fine = base.experts();
    int newHidden = or(hidden, fine.hidden());
    int usualInner = hidden == null ? fine.inner() : Math.max(1, newHidden / 4);
    PlannedModel shaped =
        base.withExperts(
                new FineGrained(
                    newHidden,
                    or(experts, fine.experts()),
                    or(topK, fine.topK()),
                    or(inner, usualInner),
                    gated ? ExpertBody.GATED : fine.body()))
            .withLength(or(layers, base.layers()), or(sequence, base.sequence()), base.vocabulary())
            .withRatio(ratio == null ? base.ratio() : ratio);
    return match == null ? shaped : shaped.withMatch(Words.choose(Match.class, "match", match));
  }

  private static int or(Integer given, int usual) {
    return given == null ? usual : given;
  }
}
