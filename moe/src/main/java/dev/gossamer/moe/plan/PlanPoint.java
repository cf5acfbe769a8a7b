package dev.gossamer.moe.plan;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One point of a sweep.
 *
 * @param value ranks, top-k, or how many times as fast the link is
 * @param rows one per structure that can run there
 */
public record PlanPoint(double value, List<PlanRow> rows) {
  public PlanPoint {
    rows = List.copyOf(rows);
  }

  /** What a structure costs there. */
  public Optional<PlanRow> row(StructureKind kind) {
    return rows.stream().filter(row -> row.kind() == kind).findFirst();
  }

  /** Fine-grained step over BigMac's; NaN if one of them cannot run there. */
  public double speedUp() {
    return row(StructureKind.FINE_GRAINED).map(row -> row.time().total()).orElse(Double.NaN)
        / row(StructureKind.BIGMAC).map(row -> row.time().total()).orElse(Double.NaN);
  }

  /** As a JSON document. */
  Map<String, Object> document(String name) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put(name, value);
    document.put("speedUp", speedUp());
    document.put("rows", rows.stream().map(PlanRow::document).toList());
    return document;
  }
}
