package dev.gossamer.bench.attention;

import java.util.List;

/** Methods that share a table and a chart. */
enum QualityGroup {
  /** The presets and the rivals, each with its own partition and scorer. */
  METHODS("Presets and rivals", List.of("paper", "cluster", "default", "svg2", "sparge"), ""),
  /** The partition of the preset {@code default}, ranked by every scorer. */
  SCORERS(
      "Scorers",
      List.of(
          "expectedError",
          "queryMass",
          "tensorQuest",
          "centroidMass",
          "pseudoQuest",
          "expectedError(all)"),
      "default+scorer=");

  private final String title;
  private final List<String> methods;
  private final String prefix;

  QualityGroup(String title, List<String> methods, String prefix) {
    this.title = title;
    this.methods = methods;
    this.prefix = prefix;
  }

  String title() {
    return title;
  }

  List<String> methods() {
    return methods;
  }

  /** One of the methods at a density. */
  AttentionSubject subject(String method, double density) {
    AttentionSubject subject = AttentionSubject.parse(prefix + method);
    return new AttentionSubject(method, subject.method(), subject.options().withDensity(density));
  }
}
