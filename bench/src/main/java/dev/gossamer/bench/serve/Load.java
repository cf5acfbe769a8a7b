package dev.gossamer.bench.serve;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What became of some requests.
 *
 * @param firsts milliseconds from asking until the first piece of text, of each
 * @param betweens milliseconds between two pieces, of all
 * @param tokens that were generated
 * @param errors requests without all their tokens
 */
record Load(List<Double> firsts, List<Double> betweens, long tokens, int errors) {
  static final Load NONE = new Load(List.of(), List.of(), 0, 0);

  Load {
    firsts = List.copyOf(firsts);
    betweens = List.copyOf(betweens);
  }

  /** A request that came to nothing. */
  static Load failed() {
    return new Load(List.of(), List.of(), 0, 1);
  }

  /**
   * A request whose pieces came at these times.
   *
   * @param begin in nanoseconds, as all
   * @param tokens that it was answered with
   */
  static Load of(long begin, List<Long> pieces, long tokens, int expected) {
    List<Double> betweens = new ArrayList<>();
    for (int i = 1; i < pieces.size(); i++) {
      betweens.add((pieces.get(i) - pieces.get(i - 1)) / 1e6);
    }
    return new Load(
        pieces.isEmpty() ? List.of() : List.of((pieces.get(0) - begin) / 1e6),
        betweens,
        tokens,
        tokens == expected ? 0 : 1);
  }

  Load and(Load other) {
    return new Load(
        Stream.concat(firsts.stream(), other.firsts.stream()).toList(),
        Stream.concat(betweens.stream(), other.betweens.stream()).toList(),
        tokens + other.tokens,
        errors + other.errors);
  }
}
