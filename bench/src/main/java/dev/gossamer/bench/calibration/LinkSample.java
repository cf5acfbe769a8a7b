package dev.gossamer.bench.calibration;

import dev.gossamer.bench.Ranks;
import dev.gossamer.moe.plan.Link;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One all-to-all over one level of links, all ranks at once.
 *
 * @param messages that a rank sends
 * @param bytes that a rank sends, all messages together
 * @param linkBytes that go over one link: a rank's inside a node, a node's between nodes
 * @param seconds median
 */
public record LinkSample(int messages, long bytes, long linkBytes, double seconds) {
  private static final int RUNS = 5;
  private static final long SMALLEST = 1L << 10;

  /** Which ranks speak to each other. */
  enum Level {
    /** Ranks of a node among themselves. */
    LOCAL,
    /** Ranks of different nodes. */
    NODE
  }

  /** Samples from 1 KiB per rank on; none if there is no such link. */
  static List<LinkSample> take(Ranks ranks, Level level, Effort effort) {
    List<LinkSample> samples = new ArrayList<>();
    int size = ranks.world().size();
    int messages =
        level == Level.LOCAL ? Math.min(size, ranks.perNode()) - 1 : size - ranks.perNode();
    for (long bytes = SMALLEST; messages > 0 && bytes <= effort.largestBytes(); bytes *= 4) {
      samples.add(take(ranks, level, messages, bytes));
    }
    return samples;
  }

  private static LinkSample take(Ranks ranks, Level level, int messages, long bytes) {
    long each = Math.max(1, bytes / messages / DType.FLOAT32.bytes());
    long[] rows = new long[ranks.world().size()];
    for (int peer = 0; peer < rows.length; peer++) {
      boolean spokenTo =
          peer != ranks.world().rank() && ranks.sameNode(peer) == (level == Level.LOCAL);
      rows[peer] = spokenTo ? each : 0;
    }
    double seconds = ranks.seconds(RUNS, () -> exchange(ranks, rows, each * messages));
    long sent = each * messages * DType.FLOAT32.bytes();
    return new LinkSample(
        messages, sent, level == Level.LOCAL ? sent : sent * ranks.perNode(), seconds);
  }

  /** Into new memory, as a layer does. */
  private static void exchange(Ranks ranks, long[] rows, long elements) {
    Tensor sent = Tensor.zeros(DType.FLOAT32, elements);
    Tensor received = Tensor.empty(DType.FLOAT32, elements);
    ranks.world().allToAll(received, rows, sent, rows).await();
  }

  /** What a link makes of this sample. */
  double predicted(Link link) {
    return messages * link.latencySeconds() + link.transferSeconds(linkBytes);
  }

  Map<String, Object> document(Link link) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("messages", messages);
    document.put("bytesPerRank", bytes);
    document.put("millis", 1e3 * seconds);
    document.put("fittedMillis", 1e3 * predicted(link));
    return document;
  }
}
