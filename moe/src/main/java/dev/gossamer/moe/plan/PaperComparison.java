package dev.gossamer.moe.plan;

import dev.gossamer.moe.parallel.Dispatch;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The paper's tables beside ours. Counts are computed from its formulas; times come from a {@link
 * Calibration} to a few of its figures, so their residuals say how well one simple model explains
 * all of them, and the planner's rows what it would have predicted.
 *
 * @param calibration to Table 1 and Figure 4
 * @param tables in the order of the paper
 */
public record PaperComparison(Calibration calibration, List<PaperTable> tables) {
  private static final String CLUSTER = "paper-cluster";
  private static final double GIB = 1L << 30;

  public PaperComparison {
    tables = List.copyOf(tables);
  }

  public static PaperComparison compute() {
    PublishedFigures published = PublishedFigures.read();
    Calibration calibration = Calibration.ofThePaper();
    return new PaperComparison(
        calibration,
        List.of(
            training(published, calibration),
            inference(published, calibration),
            formulas(),
            counts(published),
            decoding(published, calibration),
            figure4(published, calibration),
            figure3(published)));
  }

  private static PaperTable training(PublishedFigures published, Calibration fit) {
    List<PaperCell> cells = new ArrayList<>();
    for (int i = 0; i < published.topK().length; i++) {
      double k = published.topK()[i];
      double millis = published.trainingMillis()[i];
      double line = fit.trainingLine().at(k);
      cells.add(new PaperCell(row(k), "ms, line", millis, line));
      cells.add(new PaperCell(row(k), "ms, parabola", millis, fit.trainingCurve().at(k)));
      cells.add(
          new PaperCell(
              row(k),
              "share %, line",
              published.trainingShare()[i],
              100 * line / (line + fit.otherMillis())));
      cells.add(
          new PaperCell(
              row(k),
              "ms, planner",
              millis,
              1e3 * planned(k).row(StructureKind.FINE_GRAINED).time().exposed()));
    }
    for (int i = 0; i < published.figure4TopK().length; i++) {
      double k = published.figure4TopK()[i];
      double millis = published.bigMacMillis(i);
      String row = row(k) + " BigMac";
      cells.add(
          new PaperCell(row, "ms, line", millis, fit.trainingLine().at(Calibration.RATIO * k)));
      cells.add(
          new PaperCell(
              row,
              "ms, planner",
              millis,
              1e3 * planned(k).row(StructureKind.BIGMAC).time().exposed()));
    }
    return new PaperTable(
        "Table 1, training: all-to-all of an iteration",
        "least squares over the volume v (k, or rk for BigMac); line "
            + text(fit.trainingLine())
            + " ms, parabola "
            + text(fit.trainingCurve())
            + " ms; BigMac's figures follow from Figure 4",
        cells);
  }

  private static PaperTable inference(PublishedFigures published, Calibration fit) {
    List<PaperCell> cells = new ArrayList<>();
    for (int i = 0; i < published.topK().length; i++) {
      double k = published.topK()[i];
      double millis = published.inferenceMillis()[i];
      double curve = fit.inferenceCurve().at(k);
      cells.add(new PaperCell(row(k), "ms, line", millis, fit.inferenceLine().at(k)));
      cells.add(new PaperCell(row(k), "ms, parabola", millis, curve));
      cells.add(
          new PaperCell(
              row(k),
              "share %, parabola",
              published.inferenceShare()[i],
              100 * curve / (curve + fit.inferenceOtherMillis())));
    }
    return new PaperTable(
        "Table 1, inference: all-to-all",
        "line " + text(fit.inferenceLine()) + " ms, parabola " + text(fit.inferenceCurve()) + " ms",
        cells);
  }

  private static PaperTable formulas() {
    List<PaperCell> cells = new ArrayList<>();
    for (String name : PlannedModel.PRESETS) {
      PlannedModel model = PlannedModel.preset(name);
      PaperFormulas printed = PaperFormulas.ofTable4(model);
      for (StructureKind kind : List.of(StructureKind.FINE_GRAINED, StructureKind.BIGMAC)) {
        TransformerCount count = new TransformerCount(model, model.structure(kind).orElseThrow());
        String row = name + " " + Words.of(kind);
        cells.add(
            new PaperCell(
                row, "parameters, 10^9", printed.parameters(kind) / 1e9, count.parameters() / 1e9));
        cells.add(
            new PaperCell(
                row,
                "FLOPs, 10^12",
                printed.flops(kind) / 1e12,
                Phase.TRAIN.passes() * printed.tokens() * count.flops() / 1e12));
        cells.add(
            new PaperCell(
                row,
                "all-to-all, GiB",
                printed.allToAllBytes(kind) / GIB,
                allToAllBytes(model, count, printed) / GIB));
      }
    }
    return new PaperTable(
        "Table 3: the formulas as printed beside a count",
        "the formulas give an expert 2rh biases instead of (1+r)h, count the gate's weights once"
            + " instead of per layer, and leave its FLOPs out",
        cells);
  }

  /** Four all-to-alls per layer of 16-bit rows that go to other ranks. */
  private static double allToAllBytes(
      PlannedModel model, TransformerCount count, PaperFormulas printed) {
    Placement oneNode = new Placement(printed.ranks(), printed.ranks());
    WireTraffic traffic = WireTraffic.of(oneNode, Dispatch.FLAT, count.structure());
    return 4.0
        * DType.BFLOAT16.bytes()
        * model.layers()
        * printed.tokens()
        * traffic.intraRowsPerToken()
        * count.structure().wireWidth();
  }

  private static PaperTable counts(PublishedFigures published) {
    PlannedModel model = PlannedModel.preset("gpt3-xl");
    PaperFormulas formulas = PaperFormulas.ofTable4(model);
    StructureKind[] kinds = {StructureKind.FINE_GRAINED, StructureKind.BIGMAC};
    List<PaperCell> cells = new ArrayList<>();
    for (int i = 0; i < kinds.length; i++) {
      String row = Words.of(kinds[i]);
      cells.add(
          new PaperCell(
              row,
              "parameters, 10^9",
              published.parameters()[i],
              formulas.parameters(kinds[i]) / 1e9));
      cells.add(
          new PaperCell(
              row, "FLOPs, 10^12", published.flops()[i], formulas.flops(kinds[i]) / 1e12));
      cells.add(
          new PaperCell(
              row,
              "all-to-all, GiB",
              published.bytes()[i],
              formulas.allToAllBytes(kinds[i]) / GIB));
    }
    cells.add(
        new PaperCell(
            "bigmac",
            "more parameters, %",
            published.moreParameters(),
            100 * (formulas.parameters(kinds[1]) / formulas.parameters(kinds[0]) - 1)));
    cells.add(
        new PaperCell(
            "bigmac",
            "more FLOPs, %",
            published.moreFlops(),
            100 * (formulas.flops(kinds[1]) / formulas.flops(kinds[0]) - 1)));
    return new PaperTable(
        "Table 4: GPT3-XL, top-8 of 64, r 1/4",
        "Table 3's formulas with 256 sequences of 2048, 32 ranks, and a vocabulary of 50304; its"
            + " GB are 2^30 bytes",
        cells);
  }

  private static PaperTable decoding(PublishedFigures published, Calibration fit) {
    List<PaperCell> cells = new ArrayList<>();
    for (int i = 0; i < published.generated().length; i++) {
      double tokens = published.generated()[i];
      String row = String.format(Locale.ROOT, "%.0f tokens", tokens);
      cells.add(
          new PaperCell(
              row, "top-8, times", published.table9Top8()[i], fit.decodeTop8().at(tokens)));
      cells.add(
          new PaperCell(
              row, "top-4, times", published.table9Top4()[i], fit.decodeTop4().at(tokens)));
    }
    return new PaperTable(
        "Table 9: speed-up of inference, prompt of 128",
        "(S + (G-1)d) / (1 + (G-1)d'), fitted: a step of decoding gains nothing, the prompt gains"
            + " all",
        cells);
  }

  private static PaperTable figure4(PublishedFigures published, Calibration fit) {
    List<PaperCell> cells = new ArrayList<>();
    for (int i = 0; i < published.figure4TopK().length; i++) {
      double k = published.figure4TopK()[i];
      String row = row(k);
      PlanReport plan = planned(k);
      double all =
          plan.row(StructureKind.FINE_GRAINED).time().exposed()
              / plan.row(StructureKind.BIGMAC).time().exposed();
      double ends = published.figure4EndToEnd()[i];
      cells.add(new PaperCell(row, "end to end, line", ends, fit.endToEnd(k)));
      cells.add(new PaperCell(row, "end to end, planner", ends, plan.verdict().speedUp()));
      double alone = published.figure4AllToAll()[i];
      cells.add(new PaperCell(row, "all-to-all, line", alone, fit.allToAll(k)));
      cells.add(new PaperCell(row, "all-to-all, planner", alone, all));
    }
    return new PaperTable(
        "Figure 4: BigMac against fine-grained, 32 ranks",
        String.format(
            Locale.ROOT,
            "line: Table 1's line, %.0f ms beside all-to-all, %.0f ms for BigMac's projections;"
                + " planner: GPT3-Medium on %s",
            fit.otherMillis(),
            fit.projectionMillis(),
            CLUSTER),
        cells);
  }

  private static PaperTable figure3(PublishedFigures published) {
    List<PaperCell> cells = new ArrayList<>();
    for (int k : new int[] {4, 8}) {
      DoubleSummaryStatistics ours =
          PlannedModel.PRESETS.stream()
              .mapToDouble(name -> planned(name, k).verdict().speedUp())
              .summaryStatistics();
      double[] paper = k == 4 ? published.figure3Top4() : published.figure3Top8();
      cells.add(new PaperCell(row(k), "least, planner", paper[0], ours.getMin()));
      cells.add(new PaperCell(row(k), "largest, planner", paper[1], ours.getMax()));
    }
    return new PaperTable(
        "Figure 3: range over the four base models, end to end",
        "planner on " + CLUSTER + "; the paper also splits tensors, which the planner does not",
        cells);
  }

  private static PlanReport planned(double topK) {
    return planned("gpt3-medium", topK);
  }

  private static PlanReport planned(String name, double topK) {
    ClusterProfile cluster = ClusterProfile.preset(CLUSTER);
    PlannedModel model = PlannedModel.preset(name).withTopK((int) topK);
    return PlanReport.of(model, cluster, PlanSettings.of(model, cluster));
  }

  private static String row(double topK) {
    return String.format(Locale.ROOT, "top-%.0f", topK);
  }

  private static String text(Polynomial polynomial) {
    List<Double> c = polynomial.coefficients();
    return c.size() == 2
        ? String.format(Locale.ROOT, "%.1f + %.1f v", c.get(0), c.get(1))
        : String.format(Locale.ROOT, "%.1f + %.1f v + %.2f v^2", c.get(0), c.get(1), c.get(2));
  }

  /** As a JSON document. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("tables", tables.stream().map(PaperTable::document).toList());
    return document;
  }
}
