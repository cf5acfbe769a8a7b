package dev.gossamer.distributed.lab;

import java.util.ArrayList;
import java.util.List;

/**
 * What went over the link of one node, headers included.
 *
 * @param node its number
 * @param sentBytes that its link let pass to the bridge
 * @param receivedBytes that its link let pass from the bridge
 */
public record NodeTraffic(int node, long sentBytes, long receivedBytes) {
  /** What was added since an earlier reading. */
  NodeTraffic since(NodeTraffic earlier) {
    return new NodeTraffic(
        node, sentBytes - earlier.sentBytes, receivedBytes - earlier.receivedBytes);
  }

  /** The command that reads all counters at the hub's ends, where both directions are shaped. */
  static Step reading(LabNames names, int hosts) {
    List<String> words = new ArrayList<>(List.of("ip", "netns", "exec", names.hub(), "cat"));
    for (int host = 0; host < hosts; host++) {
      String counters = "/sys/class/net/" + names.host(host) + "/statistics/";
      words.add(counters + "rx_bytes");
      words.add(counters + "tx_bytes");
    }
    return new Step(words, "Check that /sys can be mounted");
  }

  /** Reads its answer: the hub receives what a node sends. */
  static List<NodeTraffic> parse(String answer) {
    List<Long> counts = answer.lines().map(String::strip).map(Long::valueOf).toList();
    List<NodeTraffic> traffic = new ArrayList<>();
    for (int node = 0; node < counts.size() / 2; node++) {
      traffic.add(new NodeTraffic(node, counts.get(2 * node), counts.get(2 * node + 1)));
    }
    return traffic;
  }
}
