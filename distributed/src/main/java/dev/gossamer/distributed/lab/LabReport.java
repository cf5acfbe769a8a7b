package dev.gossamer.distributed.lab;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What was built, and what went over its links.
 *
 * @param lab its name
 * @param plan what was asked for
 * @param congestionControl of TCP in it
 * @param traffic per node, headers included
 * @param seconds the ranks ran
 */
public record LabReport(
    String lab, LabPlan plan, String congestionControl, List<NodeTraffic> traffic, double seconds) {
  public LabReport {
    traffic = List.copyOf(traffic);
  }

  /** What was built, in one line. */
  static String headline(Lab lab) {
    LabPlan plan = lab.plan();
    return String.format(
        Locale.ROOT,
        "Lab %s: %d node%s x %d rank%s, links %s, no latency added, TCP %s",
        lab.name(),
        plan.hosts(),
        plan.hosts() == 1 ? "" : "s",
        plan.ranksPerHost(),
        plan.ranksPerHost() == 1 ? "" : "s",
        plan.link(),
        lab.congestionControl());
  }

  /** What went over the links, one line per node. */
  public String table() {
    StringBuilder table = new StringBuilder();
    table.append(
        String.format(
            Locale.ROOT,
            "%-6s%-14s%16s%16s   in %.1f s, headers included",
            "node",
            "address",
            "bytes sent",
            "bytes received",
            seconds));
    for (NodeTraffic node : traffic) {
      table.append(
          String.format(
              Locale.ROOT,
              "%n%-6d%-14s%,16d%,16d",
              node.node(),
              LabNames.address(node.node()),
              node.sentBytes(),
              node.receivedBytes()));
    }
    return table.toString();
  }

  /** All of it for {@code --json}. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("lab", lab);
    document.put("nodes", plan.nodes());
    document.put("perNode", plan.perNode());
    document.put("layout", plan.layout().name().toLowerCase(Locale.ROOT));
    document.put("link", link(plan.link()));
    document.put("congestionControl", congestionControl);
    document.put("seconds", seconds);
    document.put("traffic", traffic.stream().map(LabReport::document).toList());
    return document;
  }

  private static Map<String, Object> document(NodeTraffic node) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("node", node.node());
    document.put("address", LabNames.address(node.node()));
    document.put("sentBytes", node.sentBytes());
    document.put("receivedBytes", node.receivedBytes());
    return document;
  }

  /** A link for {@code --json}. */
  static Map<String, Object> link(LinkShape shape) {
    Map<String, Object> link = new LinkedHashMap<>();
    link.put("shaped", shape.isShaped());
    if (shape.isShaped()) {
      link.put("bitsPerSecond", shape.bitsPerSecond());
      link.put("burstBytes", shape.burstBytes());
      link.put("queueMillis", shape.queueMillis());
    }
    link.put("addedLatencyMillis", 0);
    return link;
  }
}
