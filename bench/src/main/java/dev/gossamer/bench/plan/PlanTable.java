package dev.gossamer.bench.plan;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.TextTable;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.PlanPoint;
import dev.gossamer.moe.plan.PlanReport;
import dev.gossamer.moe.plan.PlanRow;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.moe.plan.PlanSettings.Activations;
import dev.gossamer.moe.plan.PlannedModel;
import dev.gossamer.moe.plan.StepTime;
import dev.gossamer.moe.plan.StructureKind;
import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** A plan for a person: the structures, the sweeps, the verdict. */
public final class PlanTable {
  private static final double KIB = 1 << 10;
  private static final double GIB = 1 << 30;

  private PlanTable() {}

  /** Several tables with a blank line between, without a line break at the end. */
  public static String of(PlanReport report) {
    return String.join(
        "\n\n",
        head(report),
        sizes(report),
        times(report),
        sweep("ranks", report.ranks()),
        sweep("top-k", report.topK()),
        sweep("link x", report.sensitivity()),
        report.verdict().text());
  }

  private static String head(PlanReport report) {
    PlannedModel model = report.model();
    ClusterProfile cluster = report.cluster();
    PlanSettings settings = report.settings();
    MatchedSettings matched = report.matched();
    return String.format(
        Locale.ROOT,
        "%s: %d layers, width %d, %d experts of inner width %d, top-%d\n"
            + "BigMac: latent width %d, inner width %d, matched by %s: %+.2f %% layer weights,"
            + " %+.2f %% active ones\n"
            + "%s: %d ranks, %d per node; %s, %d x %d tokens per rank, %s wire, chunks %d, imbalance"
            + " %.2f\n"
            + "Figures of the cluster: %s",
        model.name(),
        model.layers(),
        model.hidden(),
        model.experts().experts(),
        model.experts().inner(),
        model.experts().topK(),
        matched.matched().latent(),
        matched.matched().inner(),
        Words.of(matched.match()),
        matched.weightResidual(),
        matched.activeResidual(),
        cluster.name(),
        settings.ranks(),
        cluster.ranksPerNode(),
        Words.of(settings.phase()),
        settings.microBatches(),
        settings.tokens(),
        settings.wire().optionName(),
        settings.chunks(),
        settings.imbalance(),
        cluster.source());
  }

  private static String sizes(PlanReport report) {
    TextTable table =
        new TextTable(
            "structure",
            "experts",
            "top-k",
            "inner",
            "wire width",
            "params B",
            "active B",
            "MFLOP/token",
            "KiB/token",
            "EP",
            "GiB kept",
            "GiB recomputed",
            "fits");
    for (PlanRow row : report.rows()) {
      if (row.dispatch() != report.settings().dispatch()) {
        continue;
      }
      MoeStructure structure = row.structure();
      long wireBytes = structure.wireElementsPerToken() * report.settings().wire().bytes();
      table.row(
          Words.of(row.kind()),
          String.valueOf(structure.experts()),
          String.valueOf(structure.topK()),
          String.valueOf(structure.inner()),
          String.valueOf(structure.wireWidth()),
          figure(row.count().parameters() / 1e9, 2),
          figure(row.count().activeParameters() / 1e9, 2),
          figure(row.count().flops() / 1e6, 0),
          figure(wireBytes / KIB, 1),
          String.valueOf(row.group().ranks()),
          figure(report.memory(row, Activations.KEPT).total() / GIB, 1),
          figure(report.memory(row, Activations.RECOMPUTED).total() / GIB, 1),
          report.fits(row) ? "yes" : "NO");
    }
    return table.plain() + (report.rows().stream().allMatch(report::fits) ? "" : tooLarge(report));
  }

  private static String tooLarge(PlanReport report) {
    return String.format(
        Locale.ROOT,
        "%nA rank has %.1f GiB. --optimizer sharded, fewer --tokens or more ranks per set of experts"
            + " need less.",
        report.cluster().memoryBytes() / GIB);
  }

  private static String times(PlanReport report) {
    TextTable table =
        new TextTable(
            "structure",
            "dispatch",
            "dense ms",
            "experts",
            "project",
            "a2a",
            "hidden",
            "update",
            "other",
            "step ms",
            "a2a %",
            "x fine",
            "tokens/s",
            "GB out");
    double fine = report.row(StructureKind.FINE_GRAINED).time().total();
    for (PlanRow row : report.rows()) {
      StepTime time = row.time();
      table.row(
          Words.of(row.kind()),
          Words.of(row.dispatch()),
          millis(time.dense()),
          millis(time.experts()),
          millis(time.projections()),
          millis(time.exposed()),
          millis(time.hidden()),
          millis(time.allReduce() + time.optimizer()),
          millis(time.overhead()),
          millis(time.total()),
          figure(100 * time.share(), 1),
          figure(fine / time.total(), 2),
          figure(row.tokensPerSecond(), 0),
          figure(row.interBytes() / 1e9, 2));
    }
    return table.plain();
  }

  private static String sweep(String what, List<PlanPoint> points) {
    List<String> head = new ArrayList<>(List.of(what));
    List<StructureKind> kinds = kinds(points);
    kinds.forEach(kind -> head.add(Words.of(kind) + " ms"));
    kinds.forEach(kind -> head.add(Words.of(kind) + " a2a %"));
    head.add("BigMac x fine");
    TextTable table = new TextTable(head.toArray(String[]::new));
    for (PlanPoint point : points) {
      List<String> cells = new ArrayList<>();
      cells.add(what.startsWith("link") ? figure(point.value(), 1) : figure(point.value(), 0));
      kinds.forEach(kind -> cells.add(cell(point, kind, time -> 1e3 * time.total())));
      kinds.forEach(kind -> cells.add(cell(point, kind, time -> 100 * time.share())));
      cells.add(figure(point.speedUp(), 2));
      table.row(cells);
    }
    return table.plain();
  }

  static List<StructureKind> kinds(List<PlanPoint> points) {
    return List.of(StructureKind.values()).stream()
        .filter(kind -> points.stream().anyMatch(point -> point.row(kind).isPresent()))
        .toList();
  }

  private static String cell(
      PlanPoint point, StructureKind kind, ToDoubleFunction<StepTime> figure) {
    return figure(
        point.row(kind).map(PlanRow::time).map(figure::applyAsDouble).orElse(Double.NaN), 1);
  }

  private static String millis(double seconds) {
    return figure(1e3 * seconds, 1);
  }
}
