package dev.gossamer.moe.plan;

import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.plan.PlanSettings.Activations;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleFunction;
import java.util.stream.IntStream;

/**
 * What the three structures of a model would cost on a cluster.
 *
 * @param model the model
 * @param cluster the cluster
 * @param settings how it is to run
 * @param matched BigMac's widths and how far from equal they are
 * @param rows every structure with every dispatch that differs
 * @param ranks the same over numbers of ranks
 * @param topK the same over experts per token
 * @param sensitivity the same with a link at 0.8, 1 and 1.2 times its rate
 * @param verdict whether BigMac pays
 */
public record PlanReport(
    PlannedModel model,
    ClusterProfile cluster,
    PlanSettings settings,
    MatchedSettings matched,
    List<PlanRow> rows,
    List<PlanPoint> ranks,
    List<PlanPoint> topK,
    List<PlanPoint> sensitivity,
    Verdict verdict) {
  private static final int MOST_RANKS = 4096;
  private static final int[] TOP_K = {1, 2, 4, 6, 8, 12, 16, 22, 32};
  private static final double[] LINKS = {0.8, 1, 1.2};

  public PlanReport {
    rows = List.copyOf(rows);
    ranks = List.copyOf(ranks);
    topK = List.copyOf(topK);
    sensitivity = List.copyOf(sensitivity);
  }

  /**
   * @throws UsageException if the cluster cannot run it so, or BigMac cannot be matched
   */
  public static PlanReport of(PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    CostModel cost = new CostModel(model, cluster, settings);
    MatchedSettings matched = model.matched();
    Placement group = settings.group(model.experts().experts(), cluster);
    PlanRow fineGrained = cost.row(StructureKind.FINE_GRAINED, model.experts());
    PlanRow bigMac = cost.row(StructureKind.BIGMAC, matched.matched());
    BreakEven breakEven =
        BreakEven.of(model, cluster, settings, model.experts(), matched.matched());
    return new PlanReport(
        model,
        cluster,
        settings,
        matched,
        allRows(model, cluster, settings),
        overRanks(model, cluster, settings),
        overTopK(model, cluster, settings),
        points(LINKS, link -> rows(model, cluster.withFasterLink(group, link), settings)),
        Verdict.of(fineGrained, bigMac, cost.exchange(model.experts(), group), breakEven));
  }

  private static List<PlanRow> allRows(
      PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    List<PlanRow> all = new ArrayList<>();
    for (StructureKind kind : StructureKind.values()) {
      for (Dispatch dispatch : Dispatch.values()) {
        rows(model, cluster, settings.withDispatch(dispatch)).stream()
            .filter(row -> row.kind() == kind)
            .filter(row -> dispatch == settings.dispatch() || row.group().nodes() > 1)
            .forEach(all::add);
      }
    }
    return all;
  }

  private static List<PlanPoint> overRanks(
      PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    int experts = model.experts().experts();
    PlanSettings usual = settings.withRanks(settings.ranks(), model, cluster);
    // A person who wants fewer ranks per set of experts wants them everywhere.
    int most =
        settings.expertParallel() == usual.expertParallel() ? experts : settings.expertParallel();
    boolean several = cluster.nodeLink().isPresent();
    int perNode = cluster.ranksPerNode();
    double[] counts =
        IntStream.iterate(
                several ? perNode : 1,
                count -> count <= (several ? MOST_RANKS : perNode),
                count -> 2 * count)
            .asDoubleStream()
            .toArray();
    return points(
        counts, count -> rows(model, cluster, settings.withRanks((int) count, most, cluster)));
  }

  private static List<PlanPoint> overTopK(
      PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    double[] counts =
        IntStream.of(TOP_K).filter(k -> k <= model.experts().experts()).asDoubleStream().toArray();
    return points(counts, k -> rows(model.withTopK((int) k), cluster, settings));
  }

  private static List<PlanPoint> points(double[] values, DoubleFunction<List<PlanRow>> rows) {
    List<PlanPoint> points = new ArrayList<>();
    for (double value : values) {
      points.add(new PlanPoint(value, rows.apply(value)));
    }
    return points;
  }

  /** One row per structure that exists. */
  private static List<PlanRow> rows(
      PlannedModel model, ClusterProfile cluster, PlanSettings settings) {
    CostModel cost = new CostModel(model, cluster, settings);
    List<PlanRow> rows = new ArrayList<>();
    for (StructureKind kind : StructureKind.values()) {
      try {
        model.structure(kind).ifPresent(structure -> rows.add(cost.row(kind, structure)));
      } catch (UsageException e) {
        continue; // matching fails at this top-k, the others stand
      }
    }
    return rows;
  }

  /** The row of a structure with the dispatch that was asked for. */
  public PlanRow row(StructureKind kind) {
    return rows.stream()
        .filter(row -> row.kind() == kind && row.dispatch() == settings.dispatch())
        .findFirst()
        .orElseThrow();
  }

  /** Whether a rank's memory holds a row's need. */
  public boolean fits(PlanRow row) {
    return row.memory().total() <= cluster.memoryBytes();
  }

  /** As a JSON document: maps, lists, texts, numbers, truth values; not all numbers are finite. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", model.document());
    document.put("cluster", cluster.document());
    document.put("settings", settings.document());
    document.put("matched", matchedDocument());
    document.put("rows", rows.stream().map(this::rowDocument).toList());
    document.put("ranks", ranks.stream().map(point -> point.document("ranks")).toList());
    document.put("topK", topK.stream().map(point -> point.document("topK")).toList());
    document.put(
        "sensitivity", sensitivity.stream().map(point -> point.document("linkFactor")).toList());
    document.put("verdict", verdict.document());
    return document;
  }

  private Map<String, Object> rowDocument(PlanRow row) {
    Map<String, Object> document = row.document();
    document.put("fits", fits(row));
    document.put("memoryKept", memory(row, Activations.KEPT).document());
    document.put("memoryRecomputed", memory(row, Activations.RECOMPUTED).document());
    return document;
  }

  /** What a rank needs for a row with inner activations kept or made again. */
  public MemoryNeed memory(PlanRow row, Activations activations) {
    return MemoryNeed.of(
        model, row.structure(), row.group(), settings.withActivations(activations));
  }

  private Map<String, Object> matchedDocument() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("match", Words.of(matched.match()));
    document.put("latent", matched.matched().latent());
    document.put("inner", matched.matched().inner());
    document.put("exactInner", matched.exactInner());
    document.put("innerMultipleOf", matched.multiple());
    document.put("weightResidualPercent", matched.weightResidual());
    document.put("activeResidualPercent", matched.activeResidual());
    return document;
  }
}
