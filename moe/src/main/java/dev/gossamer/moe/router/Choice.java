package dev.gossamer.moe.router;

import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/** What a router chose for some tokens, and the way back to the logits. */
public final class Choice {
  private final RouterSettings settings;
  private final Routing chosen;
  private final Routing routing;
  private final Tensor weights;
  private final Tensor scores;
  private final Tensor index;
  private final Tensor picked;
  private final Tensor sums;
  private final Balance balance;

  /**
   * @param sums of the picked scores, or null if weights are not normalised
   */
  Choice(
      RouterSettings settings,
      Routing chosen,
      Routing routing,
      Tensor weights,
      Tensor scores,
      Tensor index,
      Tensor picked,
      Tensor sums,
      Balance balance) {
    this.settings = settings;
    this.chosen = chosen;
    this.routing = routing;
    this.weights = weights;
    this.scores = scores;
    this.index = index;
    this.picked = picked;
    this.sums = sums;
    this.balance = balance;
  }

  /** Lets everything that the way back needs outlive a scope. */
  public Choice keep(Scope scope) {
    for (Tensor tensor :
        new Tensor[] {
          weights,
          scores,
          index,
          picked,
          sums,
          balance.probabilityGradient(),
          balance.probabilities(),
          balance.logitGradient()
        }) {
      if (tensor != null) {
        scope.keep(tensor);
      }
    }
    return this;
  }

  /** What was chosen before capacity dropped any: what to record for a replay. */
  public Routing chosen() {
    return chosen;
  }

  /** Where the tokens go. */
  public Routing routing() {
    return routing;
  }

  /** {@code [tokens, topK]} in the logits' type. */
  public Tensor weights() {
    return weights;
  }

  /** The auxiliary loss, counted over the choices before any were dropped. */
  public double auxiliaryLoss() {
    return balance.auxiliary();
  }

  public double zLoss() {
    return balance.zLoss();
  }

  /**
   * The gradient of the logits.
   *
   * @param ofWeights {@code [tokens, topK]}
   * @param lossScale factor on the gradients of the auxiliary and the z-loss
   * @return {@code [tokens, experts]}
   */
  public Tensor logitGradient(Tensor ofWeights, double lossScale) {
    try (Scope scope = Scope.open()) {
      Tensor scaled = ofWeights.mul(settings.scaling());
      Tensor ofPicked =
          sums == null
              ? scaled
              : scaled.div(sums).sub(scaled.mul(picked).sum(true, 1).div(sums.square()));
      Tensor ofScores =
          Tensor.empty(scores.dtype(), scores.device(), scores.shape())
              .fill(0)
              .scatter(1, index, ofPicked);
      if (balance.probabilityGradient() != null) {
        ofScores = ofScores.add(auxiliaryOfScores().mul(lossScale));
      }
      Tensor ofLogits =
          settings.scores() == Scores.SOFTMAX
              ? scores.mul(ofScores.sub(ofScores.mul(scores).sum(true, 1)))
              : ofScores.mul(scores).mul(scores.neg().add(1));
      if (balance.logitGradient() != null) {
        ofLogits = ofLogits.add(balance.logitGradient().mul(lossScale));
      }
      return scope.keep(ofLogits);
    }
  }

  private Tensor auxiliaryOfScores() {
    Tensor gradient = balance.probabilityGradient();
    if (settings.scores() == Scores.SOFTMAX) {
      return gradient;
    }
    Tensor mean = gradient.mul(balance.probabilities()).sum(true, 1);
    return gradient.sub(mean).div(scores.sum(true, 1));
  }
}
