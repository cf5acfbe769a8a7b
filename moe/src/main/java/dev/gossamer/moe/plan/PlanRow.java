package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.tensor.settings.Words;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one structure costs in one setting.
 *
 * @param kind the structure
 * @param structure its shape
 * @param dispatch how rows travel
 * @param group the ranks that share its experts
 * @param count parameters and operations of the whole model
 * @param time of a step
 * @param memory of a rank
 * @param interBytes what a rank sends to other nodes by all-to-all in a step
 * @param intraBytes what it sends to ranks of its own node
 * @param tokens of a step, all ranks together
 */
public record PlanRow(
    StructureKind kind,
    MoeStructure structure,
    Dispatch dispatch,
    Placement group,
    TransformerCount count,
    StepTime time,
    MemoryNeed memory,
    double interBytes,
    double intraBytes,
    double tokens) {

  /** Tokens per second of all ranks together. */
  public double tokensPerSecond() {
    return tokens / time.total();
  }

  /** As a JSON document. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("structure", Words.of(kind));
    document.put("dispatch", Words.of(dispatch));
    document.put("experts", structure.experts());
    document.put("topK", structure.topK());
    document.put("inner", structure.inner());
    document.put("wireWidth", structure.wireWidth());
    document.put("expertParallel", group.ranks());
    document.put("nodes", group.nodes());
    document.put("parameters", count.parameters());
    document.put("activeParameters", count.activeParameters());
    document.put("forwardFlopsPerToken", count.flops());
    document.put("time", time.document());
    document.put("memory", memory.document());
    document.put("bytesToOtherNodesPerRank", Math.round(interBytes));
    document.put("bytesInsideNodePerRank", Math.round(intraBytes));
    document.put("tokensPerSecond", tokensPerSecond());
    return document;
  }
}
