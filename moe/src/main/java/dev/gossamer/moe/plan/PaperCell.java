package dev.gossamer.moe.plan;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One published figure beside ours.
 *
 * @param row what it is of
 * @param column what is counted or timed, with its unit and how ours came about
 * @param paper as published
 * @param ours as computed
 */
public record PaperCell(String row, String column, double paper, double ours) {
  /** How far ours is from the published figure, percent of it. */
  public double residual() {
    return 100 * (ours / paper - 1);
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("row", row);
    document.put("column", column);
    document.put("paper", paper);
    document.put("ours", ours);
    document.put("residualPercent", residual());
    return document;
  }
}
