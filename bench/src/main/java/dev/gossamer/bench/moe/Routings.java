package dev.gossamer.bench.moe;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** The routings of all ranks of a world. */
final class Routings {
  private Routings() {}

  /** Of ranks with equally many tokens, in their order; every rank calls it. */
  static List<Routing> ofAll(Routing own, Communicator world) {
    int slots = own.expert().length;
    try (Scope scope = Scope.open()) {
      int[] all = world.allGather(Tensor.of(own.expert(), slots)).toInts();
      List<Routing> ofRanks = new ArrayList<>();
      for (int rank = 0; rank < world.size(); rank++) {
        int[] experts = new int[slots];
        System.arraycopy(all, rank * slots, experts, 0, slots);
        ofRanks.add(new Routing(own.tokens(), own.topK(), own.experts(), experts));
      }
      return ofRanks;
    }
  }

  /** Of the tokens of all ranks, one after the other. */
  static Routing joined(List<Routing> ofRanks) {
    Routing first = ofRanks.get(0);
    int slots = first.expert().length;
    int[] all = new int[slots * ofRanks.size()];
    for (int rank = 0; rank < ofRanks.size(); rank++) {
      System.arraycopy(ofRanks.get(rank).expert(), 0, all, rank * slots, slots);
    }
    return new Routing(first.tokens() * ofRanks.size(), first.topK(), first.experts(), all);
  }
}
