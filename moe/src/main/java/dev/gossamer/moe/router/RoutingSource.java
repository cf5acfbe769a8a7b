package dev.gossamer.moe.router;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;

/**
 * Who chooses the experts of a layer's tokens: its gate, a rule that a benchmark or test forces on
 * it, or an earlier run. Weights are the gate's in any case.
 */
public sealed interface RoutingSource {
  /** The words of {@link #of}. */
  String WORDS = "balanced, gate, random, biased:STD or one:EXPERT";

  /** Seed of the random rules. */
  long SEED = 7;

  /**
   * The choice for a rank's tokens; nothing if the gate makes it.
   *
   * @throws dev.gossamer.tensor.failure.GossamerException if the layer cannot be routed so
   */
  Optional<Routing> routing(RoutedLayer layer, int rank, int ranks);

  /** The same for a layer whose experts are those of this one, joined to fewer. */
  default RoutingSource joined(int experts, int fewer) {
    return this;
  }

  /** The gate chooses. */
  record Gate() implements RoutingSource {
    @Override
    public Optional<Routing> routing(RoutedLayer layer, int rank, int ranks) {
      return Optional.empty();
    }

    @Override
    public String toString() {
      return "gate";
    }
  }

  /** Experts in turn, all alike. */
  record Balanced() implements RoutingSource {
    @Override
    public Optional<Routing> routing(RoutedLayer layer, int rank, int ranks) {
      return Optional.of(
          ForcedRouting.balanced(layer.tokens(), layer.topK(), layer.experts(), rank));
    }

    @Override
    public String toString() {
      return "balanced";
    }
  }

  /** Experts in random order, all alike. */
  record RandomBalanced() implements RoutingSource {
    @Override
    public Optional<Routing> routing(RoutedLayer layer, int rank, int ranks) {
      return Optional.of(
          ForcedRouting.random(layer.tokens(), layer.topK(), layer.experts(), SEED + rank));
    }

    @Override
    public String toString() {
      return "random";
    }
  }

  /**
   * Some experts are more popular.
   *
   * @param deviation how much, against chance of deviation 1
   */
  record Biased(double deviation) implements RoutingSource {
    public Biased {
      if (!(deviation >= 0 && deviation <= 1e3)) {
        throw new UsageException("A bias of deviation " + deviation, "Use 0 to 1000");
      }
    }

    @Override
    public Optional<Routing> routing(RoutedLayer layer, int rank, int ranks) {
      return Optional.of(
          ForcedRouting.biased(
              layer.tokens(), layer.topK(), layer.experts(), deviation, SEED, rank));
    }

    @Override
    public String toString() {
      return "biased:" + deviation;
    }
  }

  /** All tokens to one expert. */
  record One(int expert) implements RoutingSource {
    @Override
    public Optional<Routing> routing(RoutedLayer layer, int rank, int ranks) {
      return Optional.of(
          ForcedRouting.toOne(layer.tokens(), layer.topK(), layer.experts(), expert));
    }

    @Override
    public RoutingSource joined(int experts, int fewer) {
      return new One((int) ((long) expert * fewer / experts));
    }

    @Override
    public String toString() {
      return "one:" + expert;
    }
  }

  /** What an earlier run chose. */
  record Replay(RoutingFile file) implements RoutingSource {
    @Override
    public Optional<Routing> routing(RoutedLayer layer, int rank, int ranks) {
      return Optional.of(file.routing(layer, rank, ranks));
    }

    @Override
    public String toString() {
      return "replay of " + file;
    }
  }

  /**
   * Reads a word of a command line.
   *
   * @throws UsageException if it means nothing
   */
  static RoutingSource of(String word) {
    int colon = word.indexOf(':');
    String name = colon < 0 ? word : word.substring(0, colon);
    String value = colon < 0 ? "" : word.substring(colon + 1);
    try {
      if (name.equals("biased")) {
        return new Biased(Double.parseDouble(value));
      }
      if (name.equals("one")) {
        return new One(Integer.parseInt(value));
      }
    } catch (NumberFormatException e) {
      throw new UsageException("No number in the routing '" + word + "'", "Use " + WORDS);
    }
    return switch (word) {
      case "gate" -> new Gate();
      case "balanced" -> new Balanced();
      case "random" -> new RandomBalanced();
      default -> throw new UsageException("Unknown routing '" + word + "'", "Use " + WORDS);
    };
  }
}
