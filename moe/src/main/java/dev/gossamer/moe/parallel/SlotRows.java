package dev.gossamer.moe.parallel;

import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.router.Routing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.Arrays;

/**
 * What came home for the slots of some tokens, in any order, and its sums per token. Rows are read
 * where they are: no copy in the order of slots is made.
 */
final class SlotRows {
  private final Travel travel;
  private final int tokens;
  private final int topK;
  private final int[] starts; // [tokens + 1] of each token, its first slot among those kept
  private final Tensor places; // of each slot kept, its row
  private final Tensor weights; // of each slot kept
  private final Tensor kept; // slots, null if none is dropped
  private final Tensor owners; // of each slot kept, its token; null if none is dropped

  /**
   * @param place of each slot, its row; anything where it is dropped
   * @param weights {@code [tokens, topK]} in the computing type
   */
  SlotRows(Travel travel, Routing routing, int[] place, Tensor weights) {
    this.travel = travel;
    this.tokens = routing.tokens();
    this.topK = routing.topK();
    this.starts = new int[tokens + 1];
    int[] keptSlots = new int[place.length];
    int count = 0;
    for (int slot = 0; slot < place.length; slot++) {
      if (routing.expert()[slot] != Routing.DROPPED) {
        keptSlots[count++] = slot;
      }
      starts[slot / topK + 1] = count;
    }
    int[] keptPlaces = new int[count];
    int[] keptOwners = new int[count];
    for (int i = 0; i < count; i++) {
      keptPlaces[i] = place[keptSlots[i]];
      keptOwners[i] = keptSlots[i] / topK;
    }
    boolean whole = count == place.length;
    this.places = index(keptPlaces, count);
    this.kept = whole ? null : index(keptSlots, count);
    this.owners = whole ? null : index(keptOwners, count);
    Tensor all = weights.reshape(place.length);
    this.weights = whole ? all : all.indexSelect(0, kept);
  }

  private Tensor index(int[] numbers, int count) {
    return travel.index(Arrays.copyOf(numbers, count));
  }

  /** What a token gets: its rows by their weights, {@code [tokens, width]}. */
  Tensor weighted(Tensor home) {
    return perToken(home, weights);
  }

  /** {@code [tokens, width]}. */
  Tensor sums(Tensor home) {
    return perToken(home, null);
  }

  private Tensor perToken(Tensor home, Tensor factors) {
    Tensor sums = travel.room(travel.compute(), tokens, home.size(1));
    travel.eachBlock(
        Phase.COMBINE,
        tokens,
        (from, count) -> {
          int first = starts[from];
          int some = starts[from + count] - first;
          Tensor of = factors == null ? null : factors.narrow(0, first, some);
          Tensor begin = begins(from, count);
          Tensor index = places.narrow(0, first, some);
          Tensor sum =
              home.dtype() == travel.compute()
                  ? home.sumRows(index, begin, of)
                  : home.indexSelect(0, index)
                      .to(travel.compute())
                      .sumRows(Tensor.arange(some, DType.INT64).to(travel.device()), begin, of);
          sums.narrow(0, from, count).copyFrom(sum);
        });
    return sums;
  }

  /** Where the rows of some tokens begin among theirs. */
  private Tensor begins(int from, int count) {
    long[] begins = new long[count];
    for (int i = 0; i < count; i++) {
      begins[i] = starts[from + i] - starts[from];
    }
    return Tensor.of(begins, count).to(travel.device());
  }

  /**
   * The gradient of the weights: each slot's row times its token's gradient.
   *
   * @param ofTokens {@code [tokens, width]}
   * @return {@code [tokens, topK]}, 0 where a slot is dropped
   */
  Tensor products(Tensor home, Tensor ofTokens) {
    Tensor ofKept = travel.room(travel.compute(), places.size(0));
    travel.eachBlock(
        Phase.COMBINE,
        tokens,
        (from, count) -> {
          int first = starts[from];
          int some = starts[from + count] - first;
          Tensor rows = home.indexSelect(0, places.narrow(0, first, some)).to(travel.exact());
          Tensor gradients =
              owners == null
                  ? ofTokens.narrow(0, from, count).unsqueeze(1)
                  : ofTokens.indexSelect(0, owners.narrow(0, first, some)).unsqueeze(1);
          long each = owners == null ? topK : 1;
          Tensor products =
              rows.reshape(-1, each, rows.size(1)).mulInPlace(gradients.to(travel.exact()));
          ofKept.narrow(0, first, some).copyFrom(products.sum(false, 2).reshape(some));
        });
    long slots = (long) tokens * topK;
    Tensor all =
        kept == null
            ? ofKept
            : travel.room(travel.compute(), slots).fill(0).indexCopy(0, kept, ofKept);
    return all.reshape(tokens, topK);
  }

  void keep(Scope scope) {
    for (Tensor tensor : new Tensor[] {places, weights, kept, owners}) {
      if (tensor != null) {
        scope.keep(tensor);
      }
    }
  }
}
