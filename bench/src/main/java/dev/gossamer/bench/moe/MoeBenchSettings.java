package dev.gossamer.bench.moe;

import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What {@link MoeBench} measures.
 *
 * @param hidden width of the stream
 * @param experts routed experts of the fine-grained structure and of BigMac
 * @param topK experts per token, one case for each
 * @param inner inner width of a fine-grained expert
 * @param latent width at which BigMac's tokens travel
 * @param tokens of each rank
 * @param chunks parts that travel while others are computed
 * @param wire type of the rows that travel; empty for float32
 * @param ranksPerNode neighbours that share a node, to count what leaves it
 * @param balanced whether every expert gets the same number of tokens, instead of what an untrained
 *     gate chooses
 * @param runs measurements of each structure
 */
public record MoeBenchSettings(
    int hidden,
    int experts,
    List<Integer> topK,
    int inner,
    int latent,
    int tokens,
    int chunks,
    Optional<DType> wire,
    int ranksPerNode,
    boolean balanced,
    int runs) {
  /** Width 512, 64 experts, top-8, 2,048 tokens a rank, a quarter of the width on the wire. */
  public static final MoeBenchSettings DEFAULT =
      new MoeBenchSettings(512, 64, List.of(8), 128, 128, 2048, 1, Optional.empty(), 1, true, 5);

  /**
   * @throws UsageException if there is nothing to measure
   */
  public MoeBenchSettings {
    topK = List.copyOf(topK);
    if (topK.isEmpty() || tokens < 1 || runs < 1 || ranksPerNode < 1) {
      throw new UsageException(
          "Nothing to measure: top-k "
              + topK
              + ", "
              + tokens
              + " tokens, "
              + runs
              + " runs, "
              + ranksPerNode
              + " ranks per node",
          "Use at least one of each");
    }
    structures(hidden, experts, topK.get(0), inner, latent);
  }

  /** The structures of a case by name: the fine-grained one first, against which others stand. */
  Map<String, MoeStructure> structures(int top) {
    return structures(hidden, experts, top, inner, latent);
  }

  private static Map<String, MoeStructure> structures(
      int hidden, int experts, int top, int inner, int latent) {
    MoeStructure.FineGrained fine =
        new MoeStructure.FineGrained(hidden, experts, top, inner, ExpertBody.PLAIN);
    Map<String, MoeStructure> structures = new LinkedHashMap<>();
    structures.put("fine-grained", fine);
    structures.put(
        "bigmac", MatchedSettings.solve(fine, latent, MatchedSettings.Match.PARAMS, 32).matched());
    int granularity = Math.max(1, 4 * hidden / inner);
    int wide = Math.max(1, experts / granularity);
    structures.put(
        "vanilla",
        new MoeStructure.Vanilla(
            hidden,
            wide,
            Math.min(wide, top <= granularity ? 1 : 2),
            4 * hidden,
            ExpertBody.PLAIN));
    return structures;
  }

  public MoeBenchSettings withShape(int width, int count, int innerWidth, int latentWidth) {
    return new MoeBenchSettings(
        width,
        count,
        topK,
        innerWidth,
        latentWidth,
        tokens,
        chunks,
        wire,
        ranksPerNode,
        balanced,
        runs);
  }

  public MoeBenchSettings withLoad(List<Integer> top, int tokensPerRank, boolean even) {
    return new MoeBenchSettings(
        hidden, experts, top, inner, latent, tokensPerRank, chunks, wire, ranksPerNode, even, runs);
  }

  public MoeBenchSettings withWay(int parts, Optional<DType> type, int perNode) {
    return new MoeBenchSettings(
        hidden, experts, topK, inner, latent, tokens, parts, type, perNode, balanced, runs);
  }

  public MoeBenchSettings withRuns(int count) {
    return new MoeBenchSettings(
        hidden, experts, topK, inner, latent, tokens, chunks, wire, ranksPerNode, balanced, count);
  }
}
