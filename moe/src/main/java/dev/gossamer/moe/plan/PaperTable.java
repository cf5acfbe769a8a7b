package dev.gossamer.moe.plan;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A table or figure of the paper beside ours.
 *
 * @param title which one
 * @param note how ours came about
 * @param cells its figures
 */
public record PaperTable(String title, String note, List<PaperCell> cells) {
  public PaperTable {
    cells = List.copyOf(cells);
  }

  /** The largest residual without its sign, percent. */
  public double worst() {
    return cells.stream().mapToDouble(cell -> Math.abs(cell.residual())).max().orElse(0);
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("title", title);
    document.put("note", note);
    document.put("worstResidualPercent", worst());
    document.put("cells", cells.stream().map(PaperCell::document).toList());
    return document;
  }
}
