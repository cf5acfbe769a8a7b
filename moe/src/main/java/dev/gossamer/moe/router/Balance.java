package dev.gossamer.moe.router;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;

/**
 * The losses that keep experts evenly used, and their gradients.
 *
 * @param auxiliary {@code alpha E sum_i F_i P_i} with F the share of choices, which has no
 *     gradient, and P the mean probability of each expert; alpha at perfect balance
 * @param zLoss {@code zeta mean(logsumexp(logits)^2)}
 * @param probabilityGradient of the auxiliary loss, {@code [tokens, experts]}, or null for none
 * @param probabilities whose gradient that is
 * @param logitGradient of the z-loss, {@code [tokens, experts]}, or null for none
 */
record Balance(
    double auxiliary,
    double zLoss,
    Tensor probabilityGradient,
    Tensor probabilities,
    Tensor logitGradient) {

  static Balance of(
      RouterSettings settings,
      Tensor logits,
      Tensor scores,
      Routing wanted,
      TokenBatch batch,
      Communicator data) {
    DType dtype = logits.dtype();
    Tensor mask = Tensor.of(batch.mask(), batch.tokens(), 1).to(dtype).to(logits.device());
    double valid = batch.valid(0, batch.tokens());
    Tensor probabilities = null;
    Tensor gradient = null;
    double auxiliary = 0;
    if (settings.balance() > 0) {
      probabilities =
          settings.scores() == Scores.SOFTMAX ? scores : scores.div(scores.sum(true, 1));
      gradient = perToken(settings, wanted, batch, mask, data);
      auxiliary = gradient.mul(probabilities).sum().item();
    }
    Tensor logitGradient = null;
    double zLoss = 0;
    if (settings.zLoss() > 0 && valid > 0) {
      Tensor size = logits.logSumExp(true, 1).mul(mask);
      zLoss = settings.zLoss() * size.square().sum().item() / valid;
      logitGradient = logits.softmax(-1).mul(size.mul(2 * settings.zLoss() / valid));
    }
    return new Balance(auxiliary, zLoss, gradient, probabilities, logitGradient);
  }

  /**
   * What each token's probability of each expert adds to the loss: its derivative.
   *
   * @param mask {@code [tokens, 1]} 1 for tokens, 0 for padding
   */
  private static Tensor perToken(
      RouterSettings settings, Routing wanted, TokenBatch batch, Tensor mask, Communicator data) {
    int experts = wanted.experts();
    int parts = settings.scope() == RouterSettings.Scope.SEQUENCE ? batch.sequences() : 1;
    int length = batch.tokens() / parts;
    double[] weights = new double[parts * experts];
    for (int part = 0; part < parts; part++) {
      int from = part * length;
      int to = from + length;
      double[] counts = new double[experts + 1];
      int[] own = wanted.part(from, to).counts();
      for (int expert = 0; expert < experts; expert++) {
        counts[expert] = own[expert];
      }
      double valid = batch.valid(from, to);
      counts[experts] = valid;
      if (settings.scope() == RouterSettings.Scope.GLOBAL && data.size() > 1) {
        Tensor sum = Tensor.of(counts, experts + 1);
        data.allReduce(sum);
        counts = sum.toDoubles();
      }
      for (int expert = 0; expert < experts && valid > 0; expert++) {
        double share = counts[expert] / (counts[experts] * wanted.topK());
        weights[part * experts + expert] = settings.balance() * experts * share / (valid * parts);
      }
    }
    Tensor perPart = Tensor.of(weights, parts, 1, experts).to(mask.dtype()).to(mask.device());
    return perPart.mul(mask.reshape(parts, length, 1)).reshape(batch.tokens(), experts);
  }
}
