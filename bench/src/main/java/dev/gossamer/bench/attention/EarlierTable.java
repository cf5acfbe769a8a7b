package dev.gossamer.bench.attention;

import java.util.List;

/**
 * Relative errors that were measured on the same three heads before this implementation existed, by
 * a plain PyTorch program: float32, over 1,024 sampled queries, five Lloyd iterations from evenly
 * spaced seeds, clusters taken by score for each query cluster until the budget is reached, every
 * query asked where a scorer asks the queries. They decided the preset {@code default}; reproducing
 * them says that this implementation computes what was meant.
 */
final class EarlierTable {
  private EarlierTable() {}

  /**
   * One line of the table.
   *
   * @param title partition (query and key clusters) and scorer
   * @param settings the same, for this implementation
   * @param density of exact pairs
   * @param errors on {@link CapturedHead#values} in their order, without a tail
   * @param errorsWithTail likewise, with it
   */
  record Line(
      String title,
      String settings,
      double density,
      List<Double> errors,
      List<Double> errorsWithTail) {
    AttentionSubject subject(QualityPoint.Tail tail) {
      return AttentionSubject.parse(
          "default@" + density + "+grouping=cluster+" + settings + "+tail=" + tail.setting());
    }

    double earlier(QualityPoint.Tail tail, CapturedHead head) {
      return (tail == QualityPoint.Tail.OFF ? errors : errorsWithTail).get(head.ordinal());
    }
  }

  /** The line of which {@link QualityReport.Change} changes one setting at a time. */
  static final int CHANGED_LINE = 10;

  private static final String QUEST = "kq=65+kk=200+scorer=tensorQuest";
  private static final String SVG2 = "queryMetric=euclidean+kq=65+kk=200+scorer=centroidMass";
  private static final String BLOCKS = "queryMetric=blocks+keyMetric=blocks+scorer=queryMass(all)";
  private static final String MASS_200 = "kq=65+kk=200+scorer=queryMass(all)";
  private static final String MASS_400 = "kq=128+kk=400+scorer=queryMass(all)";
  private static final String ERROR_400 = "kq=128+kk=400+scorer=expectedError(all)";
  private static final String ERROR_800 = "kq=128+kk=800+scorer=expectedError(all)";

  static List<Line> lines() {
    return List.of(
        line("65/200, TensorQuest (the paper)", QUEST, .25, .028, .242, .104, .020, .018, .055),
        line("65/200 Euclid both, centroid mass", SVG2, .25, .025, .231, .097, .019, .028, .089),
        line("blocks of 64, query mass", BLOCKS, .25, .013, .263, .038, .013, .119, .037),
        line("65/200, query mass", MASS_200, .25, .017, .226, .044, .012, .025, .041),
        line("65/200, query mass", MASS_200, .10, .076, .371, .114, .058, .044, .101),
        line("128/400, query mass", MASS_400, .25, .009, .213, .031, .006, .019, .027),
        line("128/400, query mass", MASS_400, .10, .043, .356, .073, .027, .030, .057),
        line("128/400, expected error", ERROR_400, .25, .009, .213, .018, .006, .013, .011),
        line("128/400, expected error", ERROR_400, .10, .042, .353, .055, .025, .024, .034),
        line("128/800, expected error", ERROR_800, .25, .008, .213, .017, .003, .009, .009),
        line("128/800, expected error", ERROR_800, .10, .037, .347, .053, .016, .017, .028),
        line("128/800, expected error", ERROR_800, .06, .066, .427, .089, .028, .025, .066));
  }

  private static Line line(String title, String settings, double density, double... errors) {
    return new Line(
        title,
        settings,
        density,
        List.of(errors[0], errors[1], errors[2]),
        List.of(errors[3], errors[4], errors[5]));
  }
}
