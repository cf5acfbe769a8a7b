package dev.gossamer.moe.plan;

import dev.gossamer.tensor.failure.UsageException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a rank does beside products, seconds of forward and backward together. All zero in a profile
 * of data sheets; {@code plan --calibrate} measures it.
 *
 * @param scoreSeconds of the router per token and expert
 * @param tokenSeconds of the router per token and element of the hidden width
 * @param rowSeconds of bringing a row to its expert and back, per row
 * @param rowElementSeconds of the same, and of the weighted sum, per element of a row
 * @param expertRowSeconds of experts beside their operations, per element of a row
 * @param expertInnerSeconds of experts beside their operations, activation included, per row and
 *     element of the inner width
 * @param countSeconds of telling all ranks how many rows come, per layer
 */
public record Handling(
    double scoreSeconds,
    double tokenSeconds,
    double rowSeconds,
    double rowElementSeconds,
    double expertRowSeconds,
    double expertInnerSeconds,
    double countSeconds) {
  /** Nothing but products and links takes time. */
  public static final Handling NONE = new Handling(0, 0, 0, 0, 0, 0, 0);

  public Handling {
    for (double seconds :
        new double[] {
          scoreSeconds,
          tokenSeconds,
          rowSeconds,
          rowElementSeconds,
          expertRowSeconds,
          expertInnerSeconds,
          countSeconds
        }) {
      if (!(seconds >= 0)) {
        throw new UsageException("No handling takes " + seconds + " s", "Use 0 or more");
      }
    }
  }

  static Handling of(SettingsFile part) {
    return part.build(
        () ->
            new Handling(
                1e-9 * part.real("scoreNanos", 0),
                1e-9 * part.real("tokenNanos", 0),
                1e-9 * part.real("rowNanos", 0),
                1e-9 * part.real("rowElementNanos", 0),
                1e-9 * part.real("expertRowNanos", 0),
                1e-9 * part.real("expertInnerNanos", 0),
                1e-9 * part.real("countNanos", 0)));
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("scoreNanos", 1e9 * scoreSeconds);
    document.put("tokenNanos", 1e9 * tokenSeconds);
    document.put("rowNanos", 1e9 * rowSeconds);
    document.put("rowElementNanos", 1e9 * rowElementSeconds);
    document.put("expertRowNanos", 1e9 * expertRowSeconds);
    document.put("expertInnerNanos", 1e9 * expertInnerSeconds);
    document.put("countNanos", 1e9 * countSeconds);
    return document;
  }
}
