package dev.gossamer.bench.attention;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One method at one density on one captured head.
 *
 * @param group which table it stands in
 * @param method its name there
 * @param tail whether clusters that are not selected count as one point each
 * @param head what it attends over
 * @param wanted density that was asked for
 * @param measured what came out
 */
record QualityPoint(
    QualityGroup group,
    String method,
    Tail tail,
    CapturedHead head,
    double wanted,
    QualityProbe.Measured measured) {
  /** Whether what is not selected counts. */
  enum Tail {
    OFF,
    CENTROID;

    String setting() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  /** As the JSON file beside the page has it. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("group", group.name().toLowerCase(java.util.Locale.ROOT));
    document.put("method", method);
    document.put("tail", tail.setting());
    document.put("head", head.tensors());
    document.put("wantedDensity", wanted);
    document.put("density", measured.density());
    document.put("pseudoKeys", measured.pseudoKeys());
    document.put("queryClusters", measured.queryClusters());
    document.put("keyClusters", measured.keyClusters());
    document.put("recall", measured.recall());
    document.put("relativeError", measured.error());
    return document;
  }
}
