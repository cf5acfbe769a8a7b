package dev.gossamer.bench.attention;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.attention.QualityPoint.Tail;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The figures of {@link AttentionQuality} as a Markdown page. */
final class QualityPage {
  private final QualityReport report;
  private final StringBuilder text = new StringBuilder();

  private QualityPage(QualityReport report) {
    this.report = report;
  }

  static String of(QualityReport report) {
    QualityPage page = new QualityPage(report);
    page.introduction();
    for (QualityGroup group : QualityGroup.values()) {
      page.group(group);
    }
    page.reproduced();
    page.changes();
    return page.text.toString();
  }

  static String chart(QualityGroup group) {
    return "attention-" + group.name().toLowerCase(Locale.ROOT) + ".png";
  }

  private void introduction() {
    text.append(
        """
        # What clustered attention costs in exactness

        Made by `gossamer bench attention --quality docs/quality`; change the program, not this page. \
        How to read it stands in [README.md](README.md).

        Queries, keys and values come from three heads of the mini model at work. Everything is \
        computed in float32, \
        at the first call that clusters: centroids from seeds, five Lloyd iterations, none carried \
        over from an earlier step.

        - **density**: share of query-key pairs computed exactly. Columns name the density asked \
        for; whole clusters are taken, so the real one is a little above.
        - **recall**: share of a query's attention mass that lies on those pairs, exact, mean over \
        %d evenly spaced queries. A random choice of keys has recall = density.
        - **error**: relative L2 distance of the output to dense attention, over all queries.
        - **tail**: every cluster that is not selected counts as one point. Recall does not know \
        it; the error does. It adds one logit per cluster: the column *points* says how much that \
        is, as a share of all pairs.

        """
            .formatted(report.settings().recallRows()));
  }

  private void group(QualityGroup group) {
    text.append("## ").append(group.title()).append("\n\n");
    if (group == QualityGroup.SCORERS) {
      text.append(
          "All with the partition of the preset `default` and a selection per tile. Scorers that ask"
              + " the queries themselves ask 16 of each tile, with (all) every one.\n\n");
    }
    text.append("![").append(group.title()).append("](").append(chart(group)).append(")\n\n");
    for (CapturedHead head : CapturedHead.values()) {
      text.append("### ").append(group.title()).append(": ").append(head.title()).append("\n\n");
      text.append("Recall of attention mass:\n\n");
      text.append(byDensity(group, head, List.of(Tail.OFF), QualityProbe.Measured::recall));
      text.append("\nRelative error of the output:\n\n");
      text.append(
          byDensity(group, head, Arrays.asList(Tail.values()), QualityProbe.Measured::error));
      text.append('\n');
    }
  }

  private String byDensity(
      QualityGroup group,
      CapturedHead head,
      List<Tail> tails,
      ToDoubleFunction<QualityProbe.Measured> of) {
    List<String> columns = new ArrayList<>(List.of("method", "clusters q/k", "tail", "points"));
    report.settings().densities().forEach(density -> columns.add("at " + figure(density, 2)));
    TextTable table = new TextTable(columns.toArray(String[]::new));
    for (String method : group.methods()) {
      for (Tail tail : tails) {
        List<QualityProbe.Measured> row =
            report.points().stream()
                .filter(point -> point.group() == group && point.head() == head)
                .filter(point -> point.method().equals(method) && point.tail() == tail)
                .map(QualityPoint::measured)
                .toList();
        List<String> cells = new ArrayList<>();
        cells.add(method);
        cells.add(row.get(0).queryClusters() + "/" + row.get(0).keyClusters());
        cells.add(tail == Tail.OFF ? "no" : "yes");
        cells.add(figure(row.get(0).pseudoKeys(), 3));
        row.forEach(measured -> cells.add(figure(of.applyAsDouble(measured), 3)));
        table.row(cells);
      }
    }
    return table.markdown();
  }

  private void reproduced() {
    text.append(
        """
        ## Against an earlier measurement

        The preset `default` was decided by a table that a plain PyTorch program made on the same \
        heads before this implementation existed. Here both stand side by side: *earlier -> ours*, \
        in brackets the smallest and largest of %d starts (seeds of the clustering). Selection is \
        per query cluster and every query is asked, as it was then.

        """
            .formatted(report.settings().starts()));
    List<String> columns =
        new ArrayList<>(List.of("partition (q/k clusters), scorer", "density", "tail"));
    for (CapturedHead head : CapturedHead.values()) {
      columns.add(head.title());
    }
    TextTable table = new TextTable(columns.toArray(String[]::new));
    for (EarlierTable.Line line : EarlierTable.lines()) {
      for (Tail tail : Tail.values()) {
        List<String> cells =
            new ArrayList<>(
                List.of(line.title(), figure(line.density(), 2), tail == Tail.OFF ? "no" : "yes"));
        report.reproduced().stream()
            .filter(one -> one.line().equals(line) && one.tail() == tail)
            .map(one -> figure(one.earlier(), 3) + " -> " + spread(one.measured()))
            .forEach(cells::add);
        table.row(cells);
      }
    }
    text.append(table.markdown()).append('\n');
  }

  private void changes() {
    EarlierTable.Line line = EarlierTable.lines().get(EarlierTable.CHANGED_LINE);
    text.append("What moves a figure: ")
        .append(line.title())
        .append(" at ")
        .append(figure(line.density(), 2))
        .append(" with the tail, one setting changed at a time.\n\n");
    List<String> columns = new ArrayList<>(List.of("change"));
    for (CapturedHead head : CapturedHead.values()) {
      columns.add(head.title());
    }
    TextTable table = new TextTable(columns.toArray(String[]::new));
    for (QualityReport.Change change : QualityReport.Change.values()) {
      List<String> cells = new ArrayList<>(List.of(change.title()));
      report.changed().stream()
          .filter(one -> one.change() == change)
          .map(one -> spread(one.measured()))
          .forEach(cells::add);
      table.row(cells);
    }
    text.append(table.markdown());
  }

  private static String spread(QualityProbe.Measured measured) {
    return figure(measured.error(), 3)
        + " ("
        + figure(measured.smallestError(), 3)
        + ".."
        + figure(measured.largestError(), 3)
        + ")";
  }
}
