package dev.gossamer.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A table of words and figures, for a terminal or for Markdown. Columns whose cells below the head
 * begin with a figure lean to the right.
 */
public final class TextTable {
  private final List<String> head;
  private final List<List<String>> rows = new ArrayList<>();

  public TextTable(String... head) {
    this.head = List.of(head);
  }

  /**
   * @throws IllegalArgumentException if there are not as many cells as the head has
   */
  public TextTable row(List<String> cells) {
    if (cells.size() != head.size()) {
      throw new IllegalArgumentException(
          cells.size() + " cells under " + head.size() + " columns: " + cells);
    }
    rows.add(List.copyOf(cells));
    return this;
  }

  public TextTable row(String... cells) {
    return row(List.of(cells));
  }

  /** A figure with so many decimals; a dash for what was not measured. */
  public static String figure(double value, int decimals) {
    return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%." + decimals + "f", value);
  }

  /** Lines with aligned columns, two spaces apart, without a line break at the end. */
  public String plain() {
    int[] widths =
        IntStream.range(0, head.size())
            .map(
                column ->
                    Math.max(
                        head.get(column).length(),
                        rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0)))
            .toArray();
    List<List<String>> all = new ArrayList<>(List.of(head));
    all.addAll(rows);
    return all.stream()
        .map(
            row ->
                IntStream.range(0, head.size())
                    .mapToObj(column -> padded(row.get(column), widths[column], figures(column)))
                    .collect(Collectors.joining("  "))
                    .stripTrailing())
        .collect(Collectors.joining("\n"));
  }

  /** A Markdown table, with a line break at the end. */
  public String markdown() {
    StringBuilder text = new StringBuilder(line(head));
    text.append(
        IntStream.range(0, head.size())
            .mapToObj(column -> figures(column) ? "---:" : "---")
            .collect(Collectors.joining(" | ", "| ", " |\n")));
    rows.forEach(row -> text.append(line(row)));
    return text.toString();
  }

  private static String line(List<String> cells) {
    return cells.stream().collect(Collectors.joining(" | ", "| ", " |\n"));
  }

  private boolean figures(int column) {
    return !rows.isEmpty()
        && rows.stream().allMatch(row -> row.get(column).matches("[-.+]?\\d.*|-|"));
  }

  private static String padded(String cell, int width, boolean right) {
    String space = " ".repeat(width - cell.length());
    return right ? space + cell : cell + space;
  }
}
