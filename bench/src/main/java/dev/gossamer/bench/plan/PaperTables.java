package dev.gossamer.bench.plan;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.TextTable;
import dev.gossamer.moe.plan.PaperCell;
import dev.gossamer.moe.plan.PaperComparison;
import dev.gossamer.moe.plan.PaperTable;
import java.util.Locale;
import java.util.stream.Collectors;

/** The paper's tables beside ours, for a person. */
public final class PaperTables {
  private PaperTables() {}

  /** One table after the other, without a line break at the end. */
  public static String of(PaperComparison comparison) {
    return comparison.tables().stream().map(PaperTables::text).collect(Collectors.joining("\n\n"));
  }

  private static String text(PaperTable table) {
    TextTable text = new TextTable("", "figure", "paper", "ours", "residual %");
    for (PaperCell cell : table.cells()) {
      text.row(
          cell.row(),
          cell.column(),
          figure(cell.paper(), 2),
          figure(cell.ours(), 2),
          // Adding nothing turns -0.0 into 0.0.
          String.format(Locale.ROOT, "%+.1f", Math.rint(10 * cell.residual()) / 10 + 0.0));
    }
    return table.title() + "\n(" + table.note() + ")\n" + text.plain();
  }
}
