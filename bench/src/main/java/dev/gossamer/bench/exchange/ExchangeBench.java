package dev.gossamer.bench.exchange;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * {@code gossamer bench exchange}: how much of its nodes' links a world uses. In every case each
 * rank holds so many bytes; an all-to-all sends an equal share to every rank, an all-reduce sums
 * them. A measurement is a series of exchanges one after the other, over when the slowest rank is
 * done, and long enough that what a lab's token bucket lets pass at once does not count.
 *
 * <p>Every rank calls {@link #run}; all get the same report.
 */
public final class ExchangeBench {
  private static final int MOST = 10_000;

  private final ExchangeBenchSettings settings;
  private final Communicator world;
  private final Device device;
  private final BenchProgress progress;
  private final Optional<Communicator> rival;
  private final List<BenchRow> rows = new ArrayList<>();

  private ExchangeBench(
      ExchangeBenchSettings settings, Communicator world, Device device, BenchProgress progress) {
    this.settings = settings;
    this.world = world;
    this.device = device;
    this.progress = progress;
    this.rival = world.baseline();
  }

  /**
   * Measures on this rank, together with all others.
   *
   * @param device where the bytes are
   */
  public static BenchReport run(
      ExchangeBenchSettings settings, Communicator world, Device device, BenchProgress progress) {
    MachineFacts machine = MachineFacts.now();
    world.agree("the settings of the benchmark", settings.toString());
    ExchangeBench bench = new ExchangeBench(settings, world, device, progress);
    for (long size : settings.sizes()) {
      progress.note(size + " bytes, " + world.size() + " ranks");
      bench.measure(size);
    }
    return new BenchReport(machine.document(), bench.document(), bench.rows);
  }

  private Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("ranks", world.size());
    document.put("device", device.toString());
    document.put("ranksPerNode", settings.ranksPerNode());
    document.put("sizes", settings.sizes());
    document.put("runs", settings.runs());
    document.put("leastSeconds", settings.seconds());
    if (settings.line().isShaped()) {
      document.put("lineBitsPerSecond", settings.line().bitsPerSecond());
    }
    long left =
        world.traffic().bytesBetweenNodes(settings.ranksPerNode())
            + rival.map(own -> own.traffic().bytesBetweenNodes(settings.ranksPerNode())).orElse(0L);
    document.put("allToAllBytesPerNode", sum(left) / nodes());
    return document;
  }

  private int nodes() {
    return Math.max(1, world.size() / settings.ranksPerNode());
  }

  /**
   * One way to exchange.
   *
   * @param nodeBytes that leave a node in one exchange, payload alone
   */
  private record Way(String name, Runnable exchange, long nodeBytes) {}

  private void measure(long size) {
    try (Scope scope = Scope.open()) {
      List<Way> ways = new ArrayList<>();
      ways.add(allToAll("all-to-all", size, world));
      rival.ifPresent(own -> ways.add(allToAll("engine's own", size, own)));
      ways.add(allReduce(size));
      List<Integer> lengths = ways.stream().map(this::length).toList();
      List<Runnable> series = new ArrayList<>();
      for (int i = 0; i < ways.size(); i++) {
        Runnable exchange = ways.get(i).exchange();
        int length = lengths.get(i);
        series.add(() -> repeat(exchange, length));
      }
      List<Timing> timings = TurnByTurn.measure(series, settings.runs(), progress);
      List<Timing> each = new ArrayList<>();
      for (int i = 0; i < ways.size(); i++) {
        int length = lengths.get(i);
        each.add(new Timing(timings.get(i).millis().stream().map(ms -> ms / length).toList()));
      }
      for (int i = 0; i < ways.size(); i++) {
        int other = i == 0 && rival.isPresent() ? 1 : 0;
        rows.add(
            row(size, ways.get(i), lengths.get(i), each.get(i), ways.get(other), each.get(other)));
      }
    }
  }

  private Way allToAll(String name, long size, Communicator ranks) {
    long[] sentRows = new long[world.size()];
    Arrays.setAll(sentRows, peer -> share(size, peer));
    long[] receivedRows = new long[world.size()];
    Arrays.fill(receivedRows, share(size, world.rank()));
    Tensor sent = Tensor.full(mark(world.rank()), DType.UINT8, size).to(device);
    Tensor received =
        Tensor.zeros(DType.UINT8, Math.multiplyExact(receivedRows[0], world.size())).to(device);
    Traffic before = ranks.traffic();
    Runnable exchange = () -> ranks.allToAll(received, receivedRows, sent, sentRows).await();
    exchange.run();
    check(received, receivedRows[0]);
    long left = ranks.traffic().since(before).bytesBetweenNodes(settings.ranksPerNode());
    return new Way(name, exchange, sum(left) / nodes());
  }

  private long share(long size, int peer) {
    return size / world.size() + (peer < size % world.size() ? 1 : 0);
  }

  /** What a rank fills its bytes with. */
  private static int mark(int rank) {
    return 1 + rank % 255;
  }

  private void check(Tensor received, long each) {
    try (Scope scope = Scope.open()) {
      for (int peer = 0; peer < world.size() && each > 0; peer++) {
        if (!received.narrow(0, peer * each, each).eq(mark(peer)).all().isTrue()) {
          throw new CommunicationException(
              "Rank " + world.rank() + " received bytes that rank " + peer + " has not sent",
              "Report this as a fault of Gossamer");
        }
      }
    }
  }

  /** Around a ring each rank passes on all parts but one, twice; of a node one rank does so. */
  private Way allReduce(long size) {
    Tensor numbers =
        Tensor.zeros(DType.FLOAT32, Math.max(1, size / DType.FLOAT32.bytes())).to(device);
    boolean alone = world.size() <= settings.ranksPerNode();
    long bytes = alone ? 0 : 2 * size * (world.size() - 1) / world.size();
    return new Way("all-reduce", () -> world.allReduce(numbers), bytes);
  }

  /** How many exchanges make a series, from one that warms up and two that are timed. */
  private int length(Way way) {
    repeat(way.exchange(), 1);
    long start = System.nanoTime();
    repeat(way.exchange(), 2);
    double each = Math.max(1e-9, (System.nanoTime() - start) / 2e9);
    long mine = (long) Math.ceil(settings.seconds() / each);
    try (Scope scope = Scope.open()) {
      Tensor most = Tensor.of(new long[] {mine}, 1);
      world.allReduce(most, Reduction.MAXIMUM);
      return (int) Math.max(1, Math.min(MOST, (long) most.item()));
    }
  }

  private void repeat(Runnable exchange, int times) {
    for (int i = 0; i < times; i++) {
      exchange.run();
    }
    world.barrier();
  }

  private BenchRow row(
      long size, Way way, int length, Timing timing, Way rival, Timing rivalTiming) {
    Map<String, Object> more = new LinkedHashMap<>();
    double bitsPerSecond = way.nodeBytes() * 8 / (timing.median() / 1e3);
    more.put("bytes", size);
    more.put("exchangesPerRun", length);
    more.put("nodeBytes", way.nodeBytes());
    more.put("nodeBitsPerSecond", bitsPerSecond);
    if (settings.line().isShaped()) {
      more.put("lineShare", bitsPerSecond / settings.line().bitsPerSecond());
    }
    return new BenchRow(
        size + " bytes on " + world.size() + " ranks",
        way.name(),
        rival.name(),
        timing,
        rivalTiming,
        Double.NaN,
        more);
  }

  private long sum(long value) {
    try (Scope scope = Scope.open()) {
      Tensor sum = Tensor.of(new long[] {value}, 1);
      world.allReduce(sum);
      return (long) sum.item();
    }
  }

  /** The table that a person reads. */
  public static String table(BenchReport report) {
    TextTable table =
        new TextTable(
            "case", "exchange", "ms", "quartiles", "node MB", "Mbit/s each way", "of the line");
    for (BenchRow row : report.rows()) {
      Timing timing = row.subjectTiming();
      Object share = row.more().get("lineShare");
      table.row(
          row.benchCase(),
          row.subject(),
          figure("%.2f", timing.median()),
          figure("%.2f", timing.lowerQuartile()) + ".." + figure("%.2f", timing.upperQuartile()),
          figure("%.3f", (long) row.more().get("nodeBytes") / 1e6),
          figure("%.1f", (double) row.more().get("nodeBitsPerSecond") / 1e6),
          share == null ? "-" : figure("%.1f %%", 100 * (double) share));
    }
    return table.plain();
  }

  private static String figure(String format, Object value) {
    return String.format(Locale.ROOT, format, value);
  }
}
