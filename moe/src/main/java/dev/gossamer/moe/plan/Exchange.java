package dev.gossamer.moe.plan;

import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.parallel.Dispatch;

/**
 * One all-to-all as one rank sees it.
 *
 * @param latencySeconds of its messages, part of {@code seconds}
 * @param seconds from its start to its end
 * @param interBytes what the rank sends to other nodes
 * @param intraBytes what it sends inside its node
 */
public record Exchange(
    double latencySeconds, double seconds, double interBytes, double intraBytes) {

  /**
   * Flat: {@code max(alpha_i (P-m) + m V_inter / B_node, alpha_l (m-1) + V_intra / B_local)}, as
   * both links work at once. In two stages (two-level, deduplicated) one waits for the other, so
   * their times add up, and two-level copies all rows once more (read and written).
   *
   * @param rows tokens of the rank, times the imbalance
   */
  static Exchange of(
      MoeStructure structure,
      Placement group,
      ClusterProfile cluster,
      PlanSettings settings,
      double rows) {
    WireTraffic traffic = WireTraffic.of(group, settings.dispatch(), structure);
    double rowBytes = (double) structure.wireWidth() * settings.wire().bytes();
    double inter = rows * traffic.interRowsPerToken() * rowBytes;
    double intra = rows * traffic.intraRowsPerToken() * rowBytes;
    double nodeLatency = 0;
    double node = 0;
    if (group.nodes() > 1) {
      Link link = cluster.nodeLink().orElseThrow();
      nodeLatency = link.latencySeconds() * traffic.interMessages();
      node = nodeLatency + link.transferSeconds(group.perNode() * inter);
    }
    Link link = cluster.localLink();
    double localLatency = link.latencySeconds() * traffic.intraMessages();
    double local = localLatency + link.transferSeconds(intra);
    boolean staged = settings.dispatch() != Dispatch.FLAT && group.nodes() > 1;
    double copy =
        staged && settings.dispatch() == Dispatch.TWO_LEVEL
            ? 2 * rows * structure.topK() * rowBytes / cluster.compute().memoryBytesPerSecond()
            : 0;
    return staged
        ? new Exchange(nodeLatency + localLatency, node + local + copy, inter, intra)
        : new Exchange(Math.max(nodeLatency, localLatency), Math.max(node, local), inter, intra);
  }
}
