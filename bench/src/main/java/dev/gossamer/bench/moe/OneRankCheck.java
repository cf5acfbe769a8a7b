package dev.gossamer.bench.moe;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.parallel.ExpertPlacement;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * How far the ranks of a world are from one rank that computes all their tokens with all experts:
 * the largest difference on any rank, as a share of the largest number.
 *
 * @param output of the layer
 * @param gradient of its input and of every weight
 */
record OneRankCheck(double output, double gradient) {
  /** Every rank calls it. */
  static OneRankCheck of(
      MoeLayer layer, MoeLayer alone, Tensor x, Routing routing, Communicator world) {
    int tokens = routing.tokens();
    int from = world.rank() * tokens;
    List<Routing> all = Routings.ofAll(routing, world);
    try (Scope scope = Scope.open()) {
      MoePass mine = layer.forward(x, TokenBatch.of(tokens), Optional.of(routing));
      Tensor dx = mine.backward(mine.output(), 0); // losses of balance count each rank's batch
      Tensor tokensOfAll = world.allGather(x).flatten(0, 1);
      int count = tokens * world.size();
      MoePass whole =
          alone.forward(tokensOfAll, TokenBatch.of(count), Optional.of(Routings.joined(all)));
      Tensor dxOfAll = whole.backward(whole.output(), 0);
      double output = off(mine.output(), whole.output().narrow(0, from, tokens));
      double gradient = off(dx, dxOfAll.narrow(0, from, tokens));
      int experts = routing.experts();
      ExpertPlacement placement = ExpertPlacement.even(experts, world.size());
      List<Parameter> ofAlone = alone.parameters();
      List<Parameter> own = layer.parameters();
      for (int i = 0; i < own.size(); i++) {
        Tensor found = own.get(i).gradient();
        Tensor expected = ofAlone.get(i).gradient();
        if (own.get(i).ofExperts()) {
          expected =
              expected.narrow(0, placement.first(world.rank()), placement.count(world.rank()));
        } else {
          found = found.copy();
          world.allReduce(found);
        }
        gradient = Math.max(gradient, off(found, expected));
      }
      Tensor worst = Tensor.of(new double[] {output, gradient}, 2);
      world.allReduce(worst, Reduction.MAXIMUM);
      double[] both = worst.toDoubles();
      return new OneRankCheck(both[0], both[1]);
    } finally {
      layer.parameters().forEach(Parameter::clearGradient);
    }
  }

  private static double off(Tensor found, Tensor expected) {
    if (found.count() == 0) {
      return 0;
    }
    double size = expected.abs().amax().item();
    double difference = found.sub(expected).abs().amax().item();
    return size == 0 ? difference : difference / size;
  }
}
