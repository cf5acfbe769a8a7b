package dev.gossamer.bench.calibration;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.Ranks;
import dev.gossamer.bench.TextTable;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.parallel.PhaseClock.Phase;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.Handling;
import dev.gossamer.moe.plan.Link;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * {@code gossamer plan --calibrate}: the profile of the ranks that run it, all of which compute and
 * send at once, as they do in a step.
 *
 * @param machine where it was measured
 * @param profile what the planner reads
 * @param layers what experts, router and moves were fitted to
 * @param local all-to-all inside a node; empty with one rank per node
 * @param node all-to-all between nodes; empty with one node
 */
public record ClusterCalibration(
    Map<String, Object> machine,
    ClusterProfile profile,
    List<LayerSample> layers,
    List<LinkSample> local,
    List<LinkSample> node) {
  private static final int RUNS = 9;
  private static final int PRODUCT = 512; // rows and both widths of the plain product
  private static final long COPIED = 16L << 20; // elements, more than caches hold
  private static final int COUNTS = 64;

  public ClusterCalibration {
    machine = new LinkedHashMap<>(machine);
    layers = List.copyOf(layers);
    local = List.copyOf(local);
    node = List.copyOf(node);
  }

  /**
   * Measures; every rank calls it and gets the same figures but for the machine's.
   *
   * @param perNode neighbours that share a node
   * @throws UsageException if the ranks do not fill nodes
   */
  public static ClusterCalibration run(
      Communicator world, int perNode, Threads threads, BenchProgress progress) {
    return run(world, perNode, threads, Effort.FULL, progress);
  }

  static ClusterCalibration run(
      Communicator world, int perNode, Threads threads, Effort effort, BenchProgress progress) {
    if (perNode < 1 || world.size() > perNode && world.size() % perNode != 0) {
      throw new UsageException(
          world.size() + " ranks do not fill nodes of " + perNode, "Use as many on each node");
    }
    MachineFacts machine = MachineFacts.now();
    Ranks ranks = new Ranks(world, Math.min(perNode, world.size()));
    progress.note("plain products and copies");
    double dense = productFlops(ranks);
    double copied = copiedBytes(ranks);
    progress.note("layers of four shapes at " + effort.rows() + " rows per expert");
    List<LayerSample> layers = LayerSample.take(ranks, threads, effort, progress);
    progress.note("links");
    List<LinkSample> local = LinkSample.take(ranks, LinkSample.Level.LOCAL, effort);
    List<LinkSample> node = LinkSample.take(ranks, LinkSample.Level.NODE, effort);
    double counts = world.size() == 1 ? 0 : countSeconds(ranks);
    LayerFit fit = LayerFit.of(layers, dense);
    double peak = Math.max(dense, fit.expertFlops());
    Map<String, Object> facts = machine.document();
    Optional<LinkFit> between = fit(node, layers, ranks, counts);
    Optional<LinkFit> inside =
        node.isEmpty() ? fit(local, layers, ranks, counts) : fit(local, List.of(), ranks, 0);
    double wait = between.or(() -> inside).map(LinkFit::waitShare).orElse(0.0);
    ClusterProfile profile =
        new ClusterProfile(
            "calibrated",
            source(ranks, threads, facts),
            world.size(),
            ranks.perNode(),
            new ClusterProfile.Compute(
                peak, dense / peak, fit.expertFlops() / peak, fit.halfRows(), copied),
            Machine.here().memoryBytes() / ranks.perNode(),
            between.map(LinkFit::link),
            inside.map(LinkFit::link).orElse(new Link(0, copied)),
            new Handling(
                fit.scoreSeconds(),
                fit.tokenSeconds(),
                fit.rowSeconds(),
                fit.rowElementSeconds(),
                fit.expertSeconds(),
                counts,
                wait),
            new ClusterProfile.Overhead(0, 0, false),
            DType.FLOAT32);
    return new ClusterCalibration(facts, profile, layers, local, node);
  }

  private static Optional<LinkFit> fit(
      List<LinkSample> samples, List<LayerSample> layers, Ranks ranks, double countSeconds) {
    return samples.isEmpty()
        ? Optional.empty()
        : Optional.of(LinkFit.of(samples, layers, ranks, countSeconds));
  }

  private static String source(Ranks ranks, Threads threads, Map<String, Object> facts) {
    return String.format(
        Locale.ROOT,
        "measured on %s: %d ranks of %d threads, %d per node%s",
        facts.get("processor"),
        ranks.world().size(),
        threads.count(),
        ranks.perNode(),
        ranks.perNode() == 1 ? "; no link inside a node, so a copy's rate stands there" : "");
  }

  private static double productFlops(Ranks ranks) {
    try (Generator generator = Generator.named("factors", 1)) {
      Tensor left = generator.normal(PRODUCT, PRODUCT);
      Tensor right = generator.normal(PRODUCT, PRODUCT);
      double seconds = ranks.seconds(RUNS, () -> left.matmul(right));
      return 2.0 * PRODUCT * PRODUCT * PRODUCT / seconds;
    }
  }

  /** Bytes per second read and written. */
  private static double copiedBytes(Ranks ranks) {
    Tensor from = Tensor.zeros(DType.FLOAT32, COPIED);
    Tensor to = Tensor.zeros(DType.FLOAT32, COPIED);
    double seconds = ranks.seconds(RUNS, () -> to.copyFrom(from));
    from.close();
    to.close();
    return 2.0 * COPIED * DType.FLOAT32.bytes() / seconds;
  }

  private static double countSeconds(Ranks ranks) {
    Tensor counts = Tensor.zeros(DType.INT32, COUNTS);
    return ranks.seconds(RUNS, () -> ranks.world().allGather(counts));
  }

  /** Everything that was measured, and the profile. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("machine", machine);
    document.put("profile", profile.document());
    document.put("layers", layers.stream().map(LayerSample::document).toList());
    document.put("local", links(local, profile.localLink()));
    profile.nodeLink().ifPresent(link -> document.put("node", links(node, link)));
    return document;
  }

  private static List<Map<String, Object>> links(List<LinkSample> samples, Link link) {
    return samples.stream().map(sample -> sample.document(link)).toList();
  }

  /** For a person: what was measured, and how well the profile explains it. */
  public String table() {
    ClusterProfile.Compute compute = profile.compute();
    TextTable experts =
        new TextTable("shape", "rows per expert", "experts GFLOP/s", "fitted", "off %");
    for (LayerSample sample : layers) {
      double measured = sample.seconds(Phase.EXPERTS);
      double fitted = sample.cost(profile).experts();
      experts.row(
          sample.structure().wireWidth() + " x " + sample.structure().inner(),
          figure(sample.rows() / sample.local(), 0),
          figure(sample.expertFlops() / measured / 1e9, 1),
          figure(sample.expertFlops() / fitted / 1e9, 1),
          figure(100 * (fitted / measured - 1), 1));
    }
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "Plain product %.1f GFLOP/s, copy %.1f GB/s, experts %.1f GFLOP/s, half of it at %.0f"
                + " rows; %.0f us an expert, waiting %.0f %%%n%n",
            compute.dense() / 1e9,
            compute.memoryBytesPerSecond() / 1e9,
            compute.peakFlops() * compute.expertEfficiency() / 1e9,
            compute.halfRows(),
            1e6 * profile.handling().expertSeconds(),
            100 * profile.handling().waitShare()));
    text.append(experts.plain());
    append(text, "Inside a node", local, profile.localLink());
    profile.nodeLink().ifPresent(link -> append(text, "Between nodes", node, link));
    return text.append(System.lineSeparator()).append(MachineFacts.loadLine(machine)).toString();
  }

  private static void append(
      StringBuilder text, String level, List<LinkSample> samples, Link link) {
    if (samples.isEmpty()) {
      return;
    }
    TextTable table = new TextTable("KiB per rank", "ms", "fitted", "off %");
    for (LinkSample sample : samples) {
      table.row(
          figure(sample.bytes() / 1024.0, 0),
          figure(1e3 * sample.seconds(), 3),
          figure(1e3 * sample.predicted(link), 3),
          figure(100 * (sample.predicted(link) / sample.seconds() - 1), 1));
    }
    text.append(
        String.format(
            Locale.ROOT,
            "%n%n%s: %.1f us a message, %.3f GB/s after a burst of %.0f KB%n",
            level,
            1e6 * link.latencySeconds(),
            link.bytesPerSecond() / 1e9,
            link.burstBytes() / 1e3));
    text.append(table.plain());
  }
}
