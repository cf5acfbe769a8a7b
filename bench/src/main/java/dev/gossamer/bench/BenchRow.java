package dev.gossamer.bench;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One comparison: a subject against a rival on a case, measured in turn in the same run.
 *
 * @param benchCase what both worked on, {@code case} in JSON
 * @param subject what is ours, or stands for it
 * @param rival what it is compared with
 * @param subjectTiming wall times of the subject
 * @param rivalTiming wall times of the rival
 * @param relativeError how far the subject's result is from the exact one, relative L2; NaN if that
 *     is not asked here
 * @param more further figures by name, as the bench needs them
 */
public record BenchRow(
    String benchCase,
    String subject,
    String rival,
    Timing subjectTiming,
    Timing rivalTiming,
    double relativeError,
    Map<String, Object> more) {
  public BenchRow {
    more = new LinkedHashMap<>(more);
  }

  /** Median of the rival over median of the subject: above 1 the subject is faster. */
  public double ratio() {
    return rivalTiming.median() / subjectTiming.median();
  }

  /** The same with one figure more. */
  public BenchRow with(String name, Object figure) {
    Map<String, Object> figures = new LinkedHashMap<>(more);
    figures.put(name, figure);
    return new BenchRow(
        benchCase, subject, rival, subjectTiming, rivalTiming, relativeError, figures);
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("case", benchCase);
    document.put("subject", subject);
    document.put("rival", rival);
    document.put("subjectMillis", subjectTiming.median());
    document.put("rivalMillis", rivalTiming.median());
    document.put("ratio", ratio());
    document.put("relativeError", relativeError);
    document.putAll(more);
    document.put("subjectTiming", spread(subjectTiming));
    document.put("rivalTiming", spread(rivalTiming));
    return document;
  }

  private static Map<String, Object> spread(Timing timing) {
    Map<String, Object> spread = new LinkedHashMap<>();
    spread.put("min", timing.min());
    spread.put("lowerQuartile", timing.lowerQuartile());
    spread.put("upperQuartile", timing.upperQuartile());
    spread.put("runs", timing.millis());
    return spread;
  }
}
