package dev.gossamer.bench.attention;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.cuda.StageTimes;
import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.cuda.Stopwatch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code gossamer bench attention --device cuda}: one self-attention of released models' shapes on
 * a card, clustering included, against libtorch's own dense attention on the same numbers in the
 * same run, and how long each stage takes.
 *
 * <p>Everything is warm: a method has made three calls and starts from the centroids of the call
 * before. Times are the card's own, by events in its stream, subject and rival in turn. The error
 * is relative L2 over all queries and heads against dense attention in the same type. The numbers
 * are made up: errors say that the arithmetic is right, not how a model fares.
 */
public final class CardBench {
  private static final int STAGE_RUNS = 5;

  /** Attention proper, the stage whose rate is told. */
  private static final String ATTEND = "attend";

  private static final List<String> STAGES = List.of("cluster", "select", ATTEND);

  private final Settings settings;
  private final Threads threads;
  private final BenchProgress progress;
  private final List<BenchRow> rows = new ArrayList<>();

  /**
   * What to measure.
   *
   * @param dtype of queries, keys and values
   */
  public record Settings(
      Device device, DType dtype, List<CardCase> cases, List<AttentionSubject> subjects, int runs) {
    public Settings {
      cases = List.copyOf(cases);
      subjects = List.copyOf(subjects);
    }

    /** What the documents are about. */
    public static List<AttentionSubject> usualSubjects() {
      return AttentionSubject.parseAll(
          "default,"
              + "cluster@.2+keyCounts=fixed+kq=65+kk=412,"
              + "cluster@.2+keyCounts=fixed+kq=128+kk=512,"
              + "paper+keyCounts=fixed+kk=412");
    }
  }

  private CardBench(Settings settings, Threads threads, BenchProgress progress) {
    this.settings = settings;
    this.threads = threads;
    this.progress = progress;
  }

  /**
   * @throws dev.gossamer.tensor.failure.EnvironmentException if there is no such card
   */
  public static BenchReport run(Settings settings, BenchProgress progress) {
    Card card = Card.of(settings.device());
    MachineFacts machine = MachineFacts.now();
    try (Threads threads = new Threads(1)) {
      CardBench bench = new CardBench(settings, threads, progress);
      for (CardCase one : settings.cases()) {
        progress.note(one.description());
        try (Scope scope = Scope.open()) {
          bench.measure(one, one.inputs(settings.device(), settings.dtype()));
        }
      }
      Map<String, Object> facts = machine.document();
      facts.put("card", card.name());
      facts.put("cardMemoryBytes", card.memoryBytes());
      facts.put("computeCapability", card.capabilityText());
      facts.put("driverCuda", card.driver());
      facts.put("peakCardMemoryBytes", card.takenBytes());
      return new BenchReport(facts, document(settings), bench.rows);
    }
  }

  private static Map<String, Object> document(Settings settings) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("device", settings.device().toString());
    document.put("dtype", settings.dtype().optionName());
    document.put("runs", settings.runs());
    document.put("inputs", "random around 500 centres of Dirichlet(2) shares");
    Map<String, Object> subjects = new LinkedHashMap<>();
    settings
        .subjects()
        .forEach(
            subject -> subjects.put(subject.label(), subject.everywhere().create().settings()));
    document.put("subjects", subjects);
    return document;
  }

  private String rival() {
    return "libtorch sdpa " + settings.dtype().optionName();
  }

  private void measure(CardCase one, QueryKeyValue inputs) {
    Runnable dense =
        () -> {
          try (Scope scope = Scope.open()) {
            inputs.exact();
          }
        };
    try (Scope scope = Scope.open()) {
      Tensor exact = inputs.exact();
      for (AttentionSubject subject : settings.subjects()) {
        progress.check();
        try (WarmAttention attention =
            new WarmAttention(subject.everywhere(), one.grid(), 0, threads)) {
          attention.warmedUp(inputs);
          double error;
          try (Scope checking = Scope.open()) {
            error = errorByHeads(attention.attend(inputs), exact);
          }
          AttentionReport.Call call = attention.lastCall();
          Runnable work =
              () -> {
                try (Scope scope2 = Scope.open()) {
                  attention.attend(inputs);
                }
              };
          List<List<Double>> millis = List.of(new ArrayList<>(), new ArrayList<>());
          for (int run = 0; run < settings.runs(); run++) {
            progress.check();
            millis.get(0).add(timed(work));
            millis.get(1).add(timed(dense));
          }
          rows.add(
              row(
                  one,
                  subject,
                  new Timing(millis.get(0)),
                  new Timing(millis.get(1)),
                  error,
                  call,
                  inputs.denseFlops(),
                  stages(work)));
        }
      }
    }
  }

  private double timed(Runnable work) {
    Stopwatch watch = Stopwatch.start(settings.device());
    work.run();
    return watch.stop().getAsDouble() * 1e3;
  }

  /**
   * Median milliseconds of each stage, in runs of their own: marks between stages cost a little.
   */
  private Map<String, Double> stages(Runnable work) {
    Map<String, List<Double>> all = new LinkedHashMap<>();
    for (int run = 0; run < STAGE_RUNS; run++) {
      try (StageTimes times = StageTimes.open(settings.device())) {
        work.run();
        times
            .millis()
            .forEach((stage, each) -> all.computeIfAbsent(stage, s -> new ArrayList<>()).add(each));
      }
    }
    Map<String, Double> medians = new LinkedHashMap<>();
    all.forEach((stage, each) -> medians.put(stage, new Timing(each).median()));
    return medians;
  }

  /** One head after the other: float64 copies of everything would not fit beside long sequences. */
  private static double errorByHeads(Tensor output, Tensor exact) {
    double distance = 0;
    double length = 0;
    for (long head = 0; head < output.size(1); head++) {
      try (Scope scope = Scope.open()) {
        Tensor right = exact.select(1, head).to(DType.FLOAT64);
        distance += output.select(1, head).to(DType.FLOAT64).sub(right).square().sum().item();
        length += right.square().sum().item();
      }
    }
    return Math.sqrt(distance / length);
  }

  private BenchRow row(
      CardCase one,
      AttentionSubject subject,
      Timing timing,
      Timing dense,
      double error,
      AttentionReport.Call call,
      double denseFlops,
      Map<String, Double> stages) {
    Map<String, Object> more = new LinkedHashMap<>();
    more.put("tokens", one.tokens());
    more.put("heads", one.heads());
    more.put("headDim", one.headDim());
    more.put("density", call.density());
    more.put("pseudoKeys", call.pseudoKeys());
    more.put("queryClusters", call.queryClusters());
    more.put("keyClusters", call.keyClusters());
    more.put("rivalTflops", denseFlops / dense.median() / 1e9);
    more.put("stageMillis", stages);
    if (stages.containsKey(ATTEND)) {
      double attend = stages.get(ATTEND);
      double rate = call.density() * denseFlops / attend / 1e9;
      more.put("attendTflops", rate); // on selected pairs
      more.put(
          "attendTflopsWithTail", (call.density() + call.pseudoKeys()) * denseFlops / attend / 1e9);
      more.put("attendShareOfDenseRate", rate / (denseFlops / dense.median() / 1e9));
    }
    return new BenchRow(one.description(), subject.label(), rival(), timing, dense, error, more);
  }

  /** The table that a person reads. */
  public static String table(BenchReport report) {
    TextTable table =
        new TextTable(
            "case",
            "attention",
            "ms",
            "dense ms",
            "x dense",
            "density",
            "tail",
            "error",
            "cluster ms",
            "select ms",
            "attend ms",
            "TFLOP/s",
            "dense TFLOP/s",
            "of dense");
    for (BenchRow row : report.rows()) {
      Map<?, ?> stages = (Map<?, ?>) row.more().get("stageMillis");
      List<String> cells =
          new ArrayList<>(
              List.of(
                  row.benchCase(),
                  row.subject(),
                  TextTable.figure(row.subjectTiming().median(), 2),
                  TextTable.figure(row.rivalTiming().median(), 2),
                  TextTable.figure(row.ratio(), 2),
                  figure(row, "density", 3),
                  figure(row, "pseudoKeys", 3),
                  TextTable.figure(row.relativeError(), 4)));
      STAGES.forEach(
          stage ->
              cells.add(
                  TextTable.figure(
                      stages.get(stage) instanceof Double millis ? millis : Double.NaN, 2)));
      cells.add(figure(row, "attendTflops", 0));
      cells.add(figure(row, "rivalTflops", 0));
      cells.add(figure(row, "attendShareOfDenseRate", 2));
      table.row(cells);
    }
    return table.plain()
        + "\n"
        + report.machine().get("card")
        + ", "
        + report.settings().get("dtype")
        + ", median of "
        + report.settings().get("runs")
        + " runs in turn with dense, clustering included, centroids from the call before;"
        + " TFLOP/s of attention on selected pairs, stages in runs of their own";
  }

  private static String figure(BenchRow row, String name, int decimals) {
    return TextTable.figure(
        row.more().get(name) instanceof Double value ? value : Double.NaN, decimals);
  }
}
