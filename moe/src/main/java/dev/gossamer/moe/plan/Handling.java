package dev.gossamer.moe.plan;

import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
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
 * @param expertSeconds of an expert however few rows it has, per expert of a rank
 * @param countSeconds of telling all ranks how many rows come, per layer
 * @param waitShare how long a rank waits for slower ones, as a share of what it computes
 */
public record Handling(
    double scoreSeconds,
    double tokenSeconds,
    double rowSeconds,
    double rowElementSeconds,
    double expertSeconds,
    double countSeconds,
    double waitShare) {
  /** Nothing but products and links takes time. */
  public static final Handling NONE = new Handling(0, 0, 0, 0, 0, 0, 0);

  public Handling {
    for (double figure :
        new double[] {
          scoreSeconds,
          tokenSeconds,
          rowSeconds,
          rowElementSeconds,
          expertSeconds,
          countSeconds,
          waitShare
        }) {
      if (!(figure >= 0)) {
        throw new UsageException("No handling costs " + figure, "Use 0 or more");
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
                1e-6 * part.real("expertMicros", 0),
                1e-6 * part.real("countMicros", 0),
                part.real("waitShare", 0)));
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("scoreNanos", 1e9 * scoreSeconds);
    document.put("tokenNanos", 1e9 * tokenSeconds);
    document.put("rowNanos", 1e9 * rowSeconds);
    document.put("rowElementNanos", 1e9 * rowElementSeconds);
    document.put("expertMicros", 1e6 * expertSeconds);
    document.put("countMicros", 1e6 * countSeconds);
    document.put("waitShare", waitShare);
    return document;
  }
}
