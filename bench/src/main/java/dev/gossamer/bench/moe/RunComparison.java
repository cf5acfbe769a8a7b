package dev.gossamer.bench.moe;

import static dev.gossamer.bench.TextTable.figure;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.bench.TextTable;
import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.LayerCost;
import dev.gossamer.moe.plan.Phase;
import dev.gossamer.moe.plan.Placement;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.Words;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code gossamer plan --compare}: the layers that {@code bench moe --json} timed, as the planner
 * would have had them on a cluster.
 *
 * @param cluster the profile that predicts
 * @param rows one for each case and structure
 */
public record RunComparison(ClusterProfile cluster, List<Row> rows) {
  /** Of a step, what a prediction may be off. */
  public static final double TARGET = 0.2;

  private static final long MAX_BYTES = 16 << 20;

  /**
   * One term, milliseconds of forward and backward.
   *
   * @param measured of the run
   * @param predicted by the planner
   */
  public record Term(double measured, double predicted) {
    /** How much too long the prediction is, as a share of what was measured. */
    public double error() {
      return predicted / measured - 1;
    }

    Term plus(Term other) {
      return new Term(measured + other.measured, predicted + other.predicted);
    }

    private Map<String, Object> document() {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("measuredMillis", measured);
      document.put("predictedMillis", predicted);
      document.put("error", error());
      return document;
    }
  }

  /**
   * One structure at one top-k.
   *
   * @param which for example {@code top-8}
   * @param structure its name
   * @param terms route, project, move and experts, then exchange
   * @param total the whole pass, in which the measured one has more than its terms
   */
  public record Row(String which, String structure, Map<String, Term> terms, Term total) {
    public Row {
      terms = new LinkedHashMap<>(terms);
    }

    /** All but the exchange. */
    public Term compute() {
      return terms.entrySet().stream()
          .filter(term -> !term.getKey().equals("exchange"))
          .map(Map.Entry::getValue)
          .reduce(new Term(0, 0), Term::plus);
    }

    public Term exchange() {
      return terms.get("exchange");
    }
  }

  public RunComparison {
    rows = List.copyOf(rows);
  }

  /**
   * @param run a document of {@code bench moe --json}
   * @throws BadInputException if it is none
   * @throws UsageException if the cluster has no such nodes
   */
  public static RunComparison of(Path run, ClusterProfile cluster) {
    JsonNode root = document(run);
    JsonNode settings = root.path("settings");
    int ranks = whole(run, settings, "ranks");
    int perNode = Math.min(ranks, whole(run, settings, "ranksPerNode"));
    if (perNode != Math.min(ranks, cluster.ranksPerNode())) {
      throw new UsageException(
          run
              + " has "
              + perNode
              + " ranks per node, "
              + cluster.name()
              + " "
              + cluster.ranksPerNode(),
          "Use a profile of the same nodes");
    }
    Placement group = new Placement(ranks, perNode);
    if (group.nodes() > 1 && cluster.nodeLink().isEmpty()) {
      throw new UsageException(
          run + " ran on " + group.nodes() + " nodes, and " + cluster.name() + " is one",
          "Use a profile with a nodeLink");
    }
    MoeBenchSettings bench = settings(run, settings);
    Map<String, MoeCase> cases = new LinkedHashMap<>();
    bench.topK().stream()
        .flatMap(top -> bench.cases(top).stream())
        .forEach(which -> cases.put(which.top() + which.name(), which));
    List<Row> rows = new ArrayList<>();
    for (JsonNode row : root.path("rows")) {
      MoeCase which = cases.get(whole(run, row, "topK") + row.path("subject").asText());
      if (which == null) {
        throw bad(run, "it has a row of an unknown structure");
      }
      double load = Math.max(1, real(run, row, "rankLoadMaxOverMean"));
      PlanSettings planned = planned(bench, ranks, load);
      rows.add(row(run, row, which, new LayerCost(which.structure(), group, cluster, planned)));
    }
    return new RunComparison(cluster, rows);
  }

  private static PlanSettings planned(MoeBenchSettings bench, int ranks, double imbalance) {
    return new PlanSettings(
        Phase.TRAIN,
        ranks,
        ranks,
        bench.tokens(),
        1,
        bench.parallel().dispatch(),
        bench.parallel().chunks(),
        bench.wire(),
        imbalance,
        PlanSettings.Activations.RECOMPUTED,
        PlanSettings.Optimizer.REPLICATED);
  }

  private static Row row(Path run, JsonNode row, MoeCase which, LayerCost cost) {
    JsonNode phases = row.path("phaseMillis");
    Map<String, Term> terms = new LinkedHashMap<>();
    terms.put("route", new Term(real(run, phases, "route"), 1e3 * cost.route()));
    terms.put("project", new Term(real(run, phases, "project"), 1e3 * cost.projections()));
    terms.put(
        "move",
        new Term(real(run, phases, "permute") + real(run, phases, "combine"), 1e3 * cost.moves()));
    terms.put("experts", new Term(real(run, phases, "experts"), 1e3 * cost.experts()));
    terms.put("exchange", new Term(real(run, phases, "exchange"), 1e3 * cost.exposed()));
    double predicted = terms.values().stream().mapToDouble(Term::predicted).sum();
    return new Row(
        "top-" + which.top(),
        which.name(),
        terms,
        new Term(real(run, row, "subjectMillis"), predicted));
  }

  private static MoeBenchSettings settings(Path run, JsonNode settings) {
    List<Integer> topK = new ArrayList<>();
    settings.path("topK").forEach(top -> topK.add(top.asInt()));
    try {
      return MoeBenchSettings.DEFAULT
          .withTokens(whole(run, settings, "tokens"))
          .withLayer(
              whole(run, settings, "hidden"),
              whole(run, settings, "experts"),
              topK,
              whole(run, settings, "inner"),
              whole(run, settings, "latent"))
          .withWay(
              ParallelSettings.DEFAULT
                  .withDispatch(
                      Words.choose(
                          Dispatch.class, "dispatch", settings.path("dispatch").asText("flat")))
                  .withChunks(whole(run, settings, "chunks"))
                  .withWire(DType.ofOption(settings.path("wire").asText())),
              whole(run, settings, "ranksPerNode"));
    } catch (UsageException e) {
      throw bad(run, e.getMessage());
    }
  }

  private static JsonNode document(Path run) {
    try {
      if (!Files.isRegularFile(run)) {
        throw bad(run, "no such file");
      }
      if (Files.size(run) > MAX_BYTES) {
        throw bad(run, Files.size(run) + " bytes are no report");
      }
      JsonNode root = new ObjectMapper().readTree(document(Files.readString(run)));
      if (root == null || !root.path("settings").isObject() || !root.path("rows").isArray()) {
        throw bad(run, "it has no settings or no rows");
      }
      return root;
    } catch (IOException e) {
      throw bad(run, "it is no JSON document");
    }
  }

  /** Without what a rank's libraries say before it, as a log of launch or lab keeps that. */
  private static String document(String text) {
    int start = text.startsWith("{") ? 0 : text.indexOf("\n{") + 1;
    return text.substring(start);
  }

  private static int whole(Path run, JsonNode node, String key) {
    if (!node.path(key).isInt() || node.path(key).asInt() < 1) {
      throw bad(run, "'" + key + "' is no number of 1 or more");
    }
    return node.path(key).asInt();
  }

  private static double real(Path run, JsonNode node, String key) {
    if (!node.path(key).isNumber() || !(node.path(key).asDouble() >= 0)) {
      throw bad(run, "'" + key + "' is no number of 0 or more");
    }
    return node.path(key).asDouble();
  }

  private static BadInputException bad(Path run, String found) {
    return new BadInputException(
        "Cannot compare with " + run + ": " + found, "Name a file of bench moe --json");
  }

  /** As a JSON document. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("cluster", cluster.document());
    document.put("rows", rows.stream().map(RunComparison::document).toList());
    document.put("target", TARGET);
    document.put("withinTarget", within());
    return document;
  }

  private static Map<String, Object> document(Row row) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("case", row.which());
    document.put("structure", row.structure());
    row.terms().forEach((name, term) -> document.put(name, term.document()));
    document.put("compute", row.compute().document());
    document.put("total", row.total().document());
    return document;
  }

  /** Rows whose whole step is predicted within the target. */
  public long within() {
    return rows.stream().filter(row -> Math.abs(row.total().error()) <= TARGET).count();
  }

  /** The table that a person reads: milliseconds measured and predicted, and the error. */
  public String table() {
    TextTable table =
        new TextTable(
            "case",
            "structure",
            "compute ms",
            "planned",
            "off %",
            "exchange ms",
            "planned",
            "off %",
            "total ms",
            "planned",
            "off %");
    TextTable parts =
        new TextTable(
            "case",
            "structure",
            "route ms",
            "planned",
            "project",
            "planned",
            "move",
            "planned",
            "experts",
            "planned");
    for (Row row : rows) {
      List<String> cells = new ArrayList<>(List.of(row.which(), row.structure()));
      for (Term term : List.of(row.compute(), row.exchange(), row.total())) {
        cells.add(figure(term.measured(), 1));
        cells.add(figure(term.predicted(), 1));
        cells.add(figure(term.measured() == 0 ? Double.NaN : 100 * term.error(), 1));
      }
      table.row(cells);
      List<String> detail = new ArrayList<>(List.of(row.which(), row.structure()));
      for (String name : List.of("route", "project", "move", "experts")) {
        detail.add(figure(row.terms().get(name).measured(), 1));
        detail.add(figure(row.terms().get(name).predicted(), 1));
      }
      parts.row(detail);
    }
    return table.plain()
        + "\n\n"
        + parts.plain()
        + "\n\n"
        + within()
        + " of "
        + rows.size()
        + " steps predicted within "
        + figure(100 * TARGET, 0)
        + " %";
  }
}
