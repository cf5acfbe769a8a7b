package dev.gossamer.bench.lm;

import dev.gossamer.lm.train.Metrics;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.lm.train.TrainingRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a finished run left in its {@code metrics.jsonl}.
 *
 * @param seed of the run
 * @param points looks at held-out text, the last after the last step
 * @param load how experts were used between the last two looks
 * @param tokensPerSecond of the median step
 * @param skipped steps that moved nothing
 */
public record TrainedRun(
    int seed, List<Point> points, Load load, double tokensPerSecond, long skipped) {
  /**
   * A look at held-out text.
   *
   * @param step after which it was taken
   * @param tokens learnt from until then
   * @param seconds that the steps until then took, looks and checkpoints left out
   * @param bits per byte
   */
  public record Point(long step, double tokens, double seconds, double bits) {}

  /**
   * How evenly experts were used in a step, means over steps but for the worst.
   *
   * @param mean over layers of the busiest expert's load over an even one, less 1
   * @param worst of any layer in any step
   * @param entropy of the load over that of an even one
   * @param dead share of the experts with less than a hundredth of an even load in a step
   */
  public record Load(double mean, double worst, double entropy, double dead) {}

  public TrainedRun {
    points = List.copyOf(points);
  }

  /** The run in a folder, if it is finished. */
  static Optional<TrainedRun> read(Path folder, TrainSettings settings) {
    Path file = folder.resolve(TrainingRun.METRICS);
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    List<Map<String, Object>> steps = new ArrayList<>();
    List<Point> points = new ArrayList<>();
    double seconds = 0;
    double tokens = 0;
    for (Map<String, Object> line : Metrics.read(file)) {
      if (line.containsKey("bitsPerByte")) {
        long step = (long) number(line, "step");
        points.add(new Point(step, tokens, seconds, number(line, "bitsPerByte")));
      } else {
        steps.add(line);
        seconds += number(line, "seconds");
        tokens = number(line, "tokens");
      }
    }
    if (points.isEmpty() || points.get(points.size() - 1).step() != settings.steps()) {
      return Optional.empty();
    }
    double[] times = steps.stream().mapToDouble(line -> number(line, "seconds")).sorted().toArray();
    double perStep = (double) settings.batch() * settings.sequence();
    long from = points.size() < 2 ? 0 : points.get(points.size() - 2).step();
    return Optional.of(
        new TrainedRun(
            settings.seed(),
            points,
            load(steps.stream().filter(line -> number(line, "step") > from).toList()),
            perStep / median(times),
            steps.stream().filter(line -> line.containsKey("skipped")).count()));
  }

  private static double median(double[] sorted) {
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1
        ? sorted[middle]
        : Arrays.stream(sorted, middle - 1, middle + 1).average().orElse(Double.NaN);
  }

  private static Load load(List<Map<String, Object>> steps) {
    return new Load(
        mean(steps, "maxViolationMean"),
        steps.stream().mapToDouble(line -> number(line, "maxViolationMax")).max().orElse(0),
        mean(steps, "entropy"),
        mean(steps, "deadExperts"));
  }

  private static double mean(List<Map<String, Object>> steps, String key) {
    return steps.stream().mapToDouble(line -> number(line, key)).average().orElse(Double.NaN);
  }

  private static double number(Map<String, Object> line, String key) {
    return line.get(key) instanceof Number number ? number.doubleValue() : Double.NaN;
  }

  /** Held-out bits per byte after the last step. */
  public double bits() {
    return points.get(points.size() - 1).bits();
  }

  /** Seconds of all steps. */
  public double seconds() {
    return points.get(points.size() - 1).seconds();
  }

  /**
   * Where it comes to so many bits per byte for the first time, on a line between two looks;
   * nothing if it never does.
   */
  Optional<Point> reaches(double bits) {
    for (int i = 0; i < points.size(); i++) {
      Point here = points.get(i);
      if (here.bits() <= bits) {
        return Optional.of(i == 0 ? here : between(points.get(i - 1), here, bits));
      }
    }
    return Optional.empty();
  }

  private static Point between(Point before, Point after, double bits) {
    double gone = (before.bits() - bits) / (before.bits() - after.bits());
    return new Point(
        Math.round(before.step() + gone * (after.step() - before.step())),
        before.tokens() + gone * (after.tokens() - before.tokens()),
        before.seconds() + gone * (after.seconds() - before.seconds()),
        bits);
  }
}
