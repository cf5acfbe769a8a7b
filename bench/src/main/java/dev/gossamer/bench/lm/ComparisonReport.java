package dev.gossamer.bench.lm;

import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * What a comparison of structures found.
 *
 * @param settings what was compared
 * @param matching sizes of the contestants
 * @param arms one for each contestant
 * @param rates fine-grained at half and at twice the learning rate; empty without that check
 * @param ranks that trained together
 * @param threads of each
 * @param machine where the last runs were made
 */
public record ComparisonReport(
    ComparisonSettings settings,
    MatchingCheck matching,
    List<Arm> arms,
    List<TrainedRun> rates,
    int ranks,
    int threads,
    Map<String, Object> machine) {
  /** What BigMac may be worse than fine-grained, percent. */
  private static final double ALLOWED = 1;

  /**
   * One contestant.
   *
   * @param contestant which
   * @param runs one for each seed, in the order of seeds
   * @param stepSeconds of a step of the paper's model on the paper's cluster, modelled; NaN if that
   *     has no such structure
   */
  public record Arm(Contestant contestant, List<TrainedRun> runs, double stepSeconds) {
    public Arm {
      runs = List.copyOf(runs);
    }

    /** Held-out bits per byte at the end. */
    public Spread bits() {
      return over(TrainedRun::bits);
    }

    Spread over(ToDoubleFunction<TrainedRun> figure) {
      return Spread.of(runs.stream().mapToDouble(figure).toArray());
    }

    double worstLoad() {
      return runs.stream().mapToDouble(run -> run.load().worst()).max().orElse(Double.NaN);
    }

    /** Where the runs that come to so many bits do so. */
    List<TrainedRun.Point> reaching(double bits) {
      return runs.stream().map(run -> run.reaches(bits)).flatMap(Optional::stream).toList();
    }
  }

  /**
   * A question and what the seeds say to it.
   *
   * @param claim in words
   * @param answer by the 95 % interval
   * @param percent relative differences that it follows from, percent
   */
  public record Verdict(String claim, Answer answer, Spread percent) {
    /** As one sentence. */
    public String sentence() {
      String mean = String.format(Locale.ROOT, "%+.2f %%", percent.mean());
      return claim
          + ": "
          + Words.of(answer)
          + (percent.count() < 2
              ? " with one seed, which has no interval (difference " + mean + ")"
              : String.format(
                  Locale.ROOT,
                  " with %d seeds (difference %s, 95 %% interval %+.2f to %+.2f %%)",
                  percent.count(),
                  mean,
                  percent.low(),
                  percent.high()));
    }
  }

  public ComparisonReport {
    arms = List.copyOf(arms);
    rates = List.copyOf(rates);
    machine = new LinkedHashMap<>(machine);
  }

  Optional<Arm> arm(Contestant contestant) {
    return arms.stream().filter(arm -> arm.contestant == contestant).findFirst();
  }

  Arm fineGrained() {
    return arm(Contestant.FINE_GRAINED).orElseThrow();
  }

  /** Differences of runs with the same seed, in bits per byte. */
  static Spread difference(Arm ours, Arm theirs) {
    return Spread.of(
        IntStream.range(0, ours.runs.size())
            .mapToDouble(i -> ours.runs.get(i).bits() - theirs.runs.get(i).bits())
            .toArray());
  }

  /** The same as shares of theirs, percent, less what is allowed. */
  static Spread percent(Arm ours, Arm theirs, double allowed) {
    return Spread.of(
        IntStream.range(0, ours.runs.size())
            .mapToDouble(
                i -> 100 * (ours.runs.get(i).bits() / theirs.runs.get(i).bits() - 1) - allowed)
            .toArray());
  }

  /** What the protocol asks, as far as the contestants took part. */
  public List<Verdict> verdicts() {
    List<Verdict> all = new ArrayList<>();
    Arm fine = fineGrained();
    for (Arm arm : arms) {
      if (arm.contestant.isBigMac()) {
        all.add(
            new Verdict(
                arm.contestant.word() + " is within fine-grained + 1 %",
                Answer.below(percent(arm, fine, ALLOWED)),
                percent(arm, fine, 0)));
      }
    }
    for (Contestant lower : List.of(Contestant.FINE_GRAINED, Contestant.BIGMAC)) {
      for (Contestant upper : List.of(Contestant.VANILLA_TOP1, Contestant.VANILLA_TOP2)) {
        Optional<Arm> ours = arm(lower);
        Optional<Arm> theirs = arm(upper);
        if (ours.isPresent() && theirs.isPresent()) {
          Spread percent = percent(ours.get(), theirs.get(), 0);
          all.add(
              new Verdict(
                  lower.word() + " is below " + upper.word(), Answer.below(percent), percent));
        }
      }
    }
    return all;
  }

  /** Whether the learning rate is the best of three; nothing without that check. */
  public Optional<String> rateSentence() {
    if (rates.isEmpty()) {
      return Optional.empty();
    }
    double base = fineGrained().runs().get(0).bits();
    double half = rates.get(0).bits();
    double twice = rates.get(1).bits();
    double best = Math.min(base, Math.min(half, twice));
    String which =
        best == base
            ? "the rate of the comparison is the best of the three"
            : "the rate of the comparison is NOT the best of the three, "
                + (best == half ? "half" : "twice")
                + " of it is";
    return Optional.of(
        String.format(
            Locale.ROOT,
            "Learning rate %s, fine-grained with the first seed: %.4f bits per byte at half of it,"
                + " %.4f at it, %.4f at twice: %s",
            settings.training().optimizer().learningRate(),
            half,
            base,
            twice,
            which));
  }

  /** The worst final bits per byte of fine-grained, which every contestant is timed to. */
  public double target() {
    return fineGrained().runs().stream().mapToDouble(TrainedRun::bits).max().orElseThrow();
  }

  /** As a JSON document: maps, lists, texts, numbers; not all numbers are finite. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("machine", machine);
    document.put("settings", settingsDocument());
    document.put("matching", matching.document());
    document.put("arms", arms.stream().map(this::armDocument).toList());
    document.put("targetBitsPerByte", target());
    document.put("verdicts", verdicts().stream().map(ComparisonReport::verdictDocument).toList());
    rateSentence()
        .ifPresent(
            sentence -> {
              Map<String, Object> check = new LinkedHashMap<>();
              check.put("half", runDocument(rates.get(0)));
              check.put("twice", runDocument(rates.get(1)));
              check.put("sentence", sentence);
              document.put("learningRateCheck", check);
            });
    return document;
  }

  private Map<String, Object> settingsDocument() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("seeds", settings.seeds());
    document.put("tokensPerRun", settings.tokens());
    document.put("ranks", ranks);
    document.put("threads", threads);
    document.put("data", settings.data().toString());
    document.put("modelledModel", ModelledCluster.MODEL);
    document.put("modelledCluster", ModelledCluster.CLUSTER);
    document.put("training", settings.run(Contestant.FINE_GRAINED, 0).document());
    return document;
  }

  private Map<String, Object> armDocument(Arm arm) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("arm", arm.contestant.word());
    document.put("bitsPerByte", spreadDocument(arm.bits()));
    document.put("differenceToFineGrained", spreadDocument(difference(arm, fineGrained())));
    document.put("maxViolationMean", arm.over(run -> run.load().mean()).mean());
    document.put("maxViolationMax", arm.worstLoad());
    document.put("entropy", arm.over(run -> run.load().entropy()).mean());
    document.put("deadExperts", arm.over(run -> run.load().dead()).mean());
    document.put("tokensPerSecond", arm.over(TrainedRun::tokensPerSecond).mean());
    document.put("seconds", arm.over(TrainedRun::seconds).mean());
    document.put("modelledStepSeconds", arm.stepSeconds);
    document.put("modelledSeconds", settings.training().steps() * arm.stepSeconds);
    List<TrainedRun.Point> reached = arm.reaching(target());
    Map<String, Object> toTarget = new LinkedHashMap<>();
    toTarget.put("runsThatReachIt", reached.size());
    toTarget.put("steps", mean(reached, TrainedRun.Point::step));
    toTarget.put("seconds", mean(reached, TrainedRun.Point::seconds));
    toTarget.put("modelledSeconds", mean(reached, point -> point.step() * arm.stepSeconds));
    document.put("toTarget", toTarget);
    document.put("runs", arm.runs.stream().map(ComparisonReport::runDocument).toList());
    return document;
  }

  /** NaN of no values. */
  static double mean(List<TrainedRun.Point> points, ToDoubleFunction<TrainedRun.Point> figure) {
    return points.stream().mapToDouble(figure).average().orElse(Double.NaN);
  }

  private static Map<String, Object> spreadDocument(Spread spread) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("mean", spread.mean());
    document.put("standardDeviation", spread.deviation());
    document.put("low95", spread.low());
    document.put("high95", spread.high());
    return document;
  }

  private static Map<String, Object> verdictDocument(Verdict verdict) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("claim", verdict.claim());
    document.put("answer", Words.of(verdict.answer()));
    document.put("differencePercent", spreadDocument(verdict.percent()));
    document.put("sentence", verdict.sentence());
    return document;
  }

  private static Map<String, Object> runDocument(TrainedRun run) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("seed", run.seed());
    document.put("bitsPerByte", run.bits());
    document.put("seconds", run.seconds());
    document.put("tokensPerSecond", run.tokensPerSecond());
    document.put("stepsThatMovedNothing", run.skipped());
    document.put("points", run.points().stream().map(ComparisonReport::pointDocument).toList());
    return document;
  }

  private static Map<String, Object> pointDocument(TrainedRun.Point point) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("step", point.step());
    document.put("tokens", point.tokens());
    document.put("seconds", point.seconds());
    document.put("bitsPerByte", point.bits());
    return document;
  }
}
