package dev.gossamer.cli;

import dev.gossamer.video.AttentionSummary;
import dev.gossamer.video.RunReport;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** The short table at the end of a run. */
final class RunTable {
  private RunTable() {}

  static String of(RunReport report) {
    AttentionSummary attention = report.attention();
    StringBuilder table = new StringBuilder();
    row(table, "Seconds", seconds(report.seconds()));
    row(
        table,
        "Attention",
        String.format(
            Locale.ROOT,
            "%s, density %.3f%s%s, %.1f thread-seconds",
            report.settings().attention().method(),
            attention.density(),
            attention.pseudoKeys() > 0
                ? String.format(Locale.ROOT, " and %.3f in the tail", attention.pseudoKeys())
                : "",
            Double.isFinite(attention.recall())
                ? String.format(Locale.ROOT, ", recall %.3f", attention.recall())
                : "",
            attention.seconds()));
    AttentionSummary.Clusters clusters = attention.clusters();
    row(
        table,
        "Clusters",
        clusters.max() == 0
            ? "none"
            : String.format(
                "min %d, median %d, max %d per layer",
                clusters.min(), clusters.median(), clusters.max()));
    row(table, "In full", inFull(report));
    report.compare().ifPresent(compare -> row(table, "Against dense", against(compare)));
    row(
        table,
        "Peak memory",
        (report.peakMemoryBytes() == 0 ? "unknown" : Amounts.bytes(report.peakMemoryBytes()))
            + (report.peakCardMemoryBytes() == 0
                ? ""
                : ", of the card " + Amounts.bytes(report.peakCardMemoryBytes())));
    return table.toString().stripTrailing();
  }

  private static String seconds(Map<String, Double> stages) {
    return stages.entrySet().stream()
        .map(stage -> String.format(Locale.ROOT, "%s %.2f", stage.getKey(), stage.getValue()))
        .collect(Collectors.joining(", "));
  }

  /** Which layers attended in full throughout, and why any did. */
  private static String inFull(RunReport report) {
    AttentionSummary attention = report.attention();
    List<Integer> layers = attention.denseLayers();
    if (attention.denseCalls().isEmpty()) {
      return "no layer";
    }
    String which =
        layers.isEmpty()
            ? "no layer throughout"
            : layers.size() == attention.perLayer().size()
                ? "all layers"
                : "layers "
                    + layers.stream().map(String::valueOf).collect(Collectors.joining(", "));
    return attention.denseCalls().keySet().stream()
        .map(reason -> inWords(reason, report.settings().attention().settings()))
        .collect(Collectors.joining(", ", which + " (", ")"));
  }

  private static String inWords(String reason, Map<String, Object> settings) {
    return switch (reason) {
      case "method" -> "dense attention";
      case "short" ->
          settings.get("minTokens") instanceof Number tokens
              ? String.format(Locale.ROOT, "fewer than %,d tokens", tokens.longValue())
              : "few tokens";
      case "first steps" -> "the first steps";
      case "chosen layer" -> "chosen by denseLayers";
      case "nearly all keys" -> "nearly all keys were to be kept";
      case "hard layer" -> "hard to cluster";
      default -> reason;
    };
  }

  private static String against(RunReport.Comparison compare) {
    String likeness =
        compare.identical()
            ? "identical frames"
            : String.format(Locale.ROOT, "PSNR %.1f dB, SSIM %.3f", compare.psnr(), compare.ssim());
    return likeness
        + (Double.isFinite(compare.totalSpeedup())
            ? String.format(
                Locale.ROOT,
                "; attention %.2fx, whole %.2fx as fast",
                compare.attentionSpeedup(),
                compare.totalSpeedup())
            : "; no speeds, as the run was resumed");
  }

  private static void row(StringBuilder table, String label, String value) {
    table.append(String.format("%-14s%s%n", label, value));
  }
}
