package dev.gossamer.video;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/** Seconds per stage of a run, and word of them to its {@link Progress}. */
final class StageClock {
  private final Map<Stage, Double> seconds = new EnumMap<>(Stage.class);
  private final Progress progress;
  private final long start = System.nanoTime();
  private double earlier;

  StageClock(Progress progress) {
    this.progress = progress;
  }

  /** Runs a stage that is one piece. */
  <T> T time(Stage stage, Supplier<T> work) {
    progress.begin(stage, 0);
    long begin = System.nanoTime();
    T result = work.get();
    double spent = since(begin);
    add(stage, spent);
    progress.end(stage, spent);
    return result;
  }

  /** Runs a stage that is one piece. */
  void time(Stage stage, Runnable work) {
    time(
        stage,
        () -> {
          work.run();
          return stage;
        });
  }

  /** Adds time that was measured elsewhere. */
  void add(Stage stage, double spent) {
    seconds.merge(stage, spent, Double::sum);
  }

  /** Adds time of earlier sittings, which their stages' seconds hold, to the total. */
  void addEarlier(double spent) {
    earlier += spent;
  }

  double earlier() {
    return earlier;
  }

  double of(Stage stage) {
    return seconds.getOrDefault(stage, 0.0);
  }

  static double since(long nanos) {
    return (System.nanoTime() - nanos) / 1e9;
  }

  /**
   * By stage in their order, and {@code total}: since this clock was made, and earlier sittings.
   */
  Map<String, Double> seconds() {
    Map<String, Double> named = new LinkedHashMap<>();
    for (Stage stage : Stage.values()) {
      boolean usual = stage != Stage.DENSE && stage != Stage.IMAGE;
      if (usual || seconds.containsKey(stage)) {
        named.put(stage.label(), of(stage));
      }
    }
    named.put("total", earlier + since(start));
    return named;
  }
}
