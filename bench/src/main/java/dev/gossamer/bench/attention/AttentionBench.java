package dev.gossamer.bench.attention;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@code gossamer bench attention}: how long one self-attention takes, clustering included, against
 * dense attention, on captured queries, keys and values.
 *
 * <p>Everything is warm: a clustering method has made three calls and starts, as in the middle of a
 * video, from the centroids of the call before; kernels are built and memory is there. The rivals
 * are libtorch's own fused kernel in float32, on float32 inputs, in the better of two ways (one
 * head per Java thread, or one call on libtorch's threads), and this project's dense attention in
 * bf16. All are measured in turn in the same run. Errors are relative L2 over all queries and heads
 * against float32 dense attention on the same bf16 numbers.
 */
public final class AttentionBench {
  /** The rival that the figures of the documents are about. */
  public static final String LIBTORCH = "libtorch sdpa fp32";

  /** This project's own dense attention, a rival and a subject. */
  public static final String OWN_DENSE = "gossamer dense bf16";

  private final AttentionBenchSettings settings;
  private final Threads threads;
  private final BenchProgress progress;
  private final List<BenchRow> rows = new ArrayList<>();

  private AttentionBench(AttentionBenchSettings settings, Threads threads, BenchProgress progress) {
    this.settings = settings;
    this.threads = threads;
    this.progress = progress;
  }

  /** Measures; takes minutes with the default settings. */
  public static BenchReport run(AttentionBenchSettings settings, BenchProgress progress) {
    MachineFacts machine = MachineFacts.now();
    CapturedHeads captured = CapturedHeads.open();
    List<AttentionCase> cases =
        settings.tokens().isEmpty()
            ? AttentionCase.whole()
            : AttentionCase.beginnings(settings.tokens());
    try (Threads threads = new Threads(settings.threads())) {
      AttentionBench bench = new AttentionBench(settings, threads, progress);
      for (AttentionCase one : cases) {
        progress.note(one.name() + ", " + settings.heads() + " heads");
        try (Scope scope = Scope.open()) {
          bench.measure(
              one, captured.load(one.head(), one.tokens(), settings.heads(), DType.BFLOAT16));
        }
      }
      return new BenchReport(machine.document(), document(settings), bench.rows);
    }
  }

  /** The table that a person reads. */
  public static String table(BenchReport report) {
    return AttentionTable.of(report);
  }

  private static Map<String, Object> document(AttentionBenchSettings settings) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("heads", settings.heads());
    document.put("threads", settings.threads());
    document.put("runs", settings.runs());
    document.put("inputs", "bf16, for " + LIBTORCH + " float32");
    document.put("tokens", settings.tokens());
    Map<String, Object> subjects = new LinkedHashMap<>();
    settings
        .subjects()
        .forEach(
            subject -> subjects.put(subject.label(), subject.everywhere().create().settings()));
    document.put("subjects", subjects);
    return document;
  }

  /**
   * What takes part in a case.
   *
   * @param work one call
   * @param error of its result
   * @param call what the method says of itself
   */
  private record Entrant(String name, Runnable work, double error, AttentionReport.Call call) {
    double share() {
      return call.density() + call.pseudoKeys();
    }
  }

  private void measure(AttentionCase one, QueryKeyValue inputs) {
    QueryKeyValue exactInputs = inputs.to(DType.FLOAT32);
    Tensor exact = Tensor.empty(DType.FLOAT32, inputs.query().shape());
    Runnable headByHead = () -> exactInputs.exactInto(exact, threads);
    Runnable oneCall =
        () -> {
          try (Scope scope = Scope.open()) {
            exactInputs.exact();
          }
        };
    int before = Libtorch.intraOpThreads();
    Libtorch.intraOpThreads(threads.count());
    List<WarmAttention> opened = new ArrayList<>();
    try {
      headByHead.run();
      oneCall.run();
      List<Entrant> entrants = new ArrayList<>();
      List<AttentionSubject> all = new ArrayList<>();
      all.add(AttentionSubject.parse("dense"));
      all.addAll(settings.subjects());
      for (AttentionSubject subject : all) {
        progress.check();
        WarmAttention attention = new WarmAttention(subject.everywhere(), one.grid(), 0, threads);
        opened.add(attention);
        String name = entrants.isEmpty() ? OWN_DENSE : subject.label();
        entrants.add(entrant(name, attention.warmedUp(inputs), inputs, exact));
      }
      List<Runnable> works = new ArrayList<>(List.of(headByHead, oneCall));
      entrants.forEach(entrant -> works.add(entrant.work()));
      List<Timing> timings = TurnByTurn.measure(works, settings.runs(), progress);
      addRows(one, inputs.denseFlops(), entrants, timings);
    } finally {
      opened.forEach(WarmAttention::close);
      Libtorch.intraOpThreads(before);
    }
  }

  private static Entrant entrant(
      String name, WarmAttention attention, QueryKeyValue inputs, Tensor exact) {
    double error;
    try (Scope scope = Scope.open()) {
      error = QueryKeyValue.relativeError(attention.attend(inputs), exact);
    }
    Runnable work =
        () -> {
          try (Scope scope = Scope.open()) {
            attention.attend(inputs);
          }
        };
    return new Entrant(name, work, error, attention.lastCall());
  }

  private void addRows(
      AttentionCase one, double denseFlops, List<Entrant> entrants, List<Timing> timings) {
    boolean heads = timings.get(0).median() <= timings.get(1).median();
    Timing libtorch = timings.get(heads ? 0 : 1);
    Timing own = timings.get(2);
    for (int i = 0; i < entrants.size(); i++) {
      Entrant entrant = entrants.get(i);
      Timing timing = timings.get(2 + i);
      Map<String, Object> more = new LinkedHashMap<>();
      more.put("tokens", one.tokens());
      more.put("density", entrant.call().density());
      more.put("pseudoKeys", entrant.call().pseudoKeys());
      more.put("queryClusters", entrant.call().queryClusters());
      more.put("keyClusters", entrant.call().keyClusters());
      more.put("subjectGflops", entrant.share() * denseFlops / timing.median() / 1e6);
      rows.add(
          row(one, entrant, LIBTORCH, timing, libtorch, denseFlops, more)
              .with("rivalWay", heads ? "one head per Java thread" : "one call"));
      if (i > 0) {
        rows.add(row(one, entrant, OWN_DENSE, timing, own, denseFlops, more));
      }
    }
  }

  private BenchRow row(
      AttentionCase one,
      Entrant entrant,
      String rival,
      Timing timing,
      Timing rivalTiming,
      double denseFlops,
      Map<String, Object> more) {
    BenchRow row =
        new BenchRow(one.name(), entrant.name(), rival, timing, rivalTiming, entrant.error(), more)
            .with("rivalGflops", denseFlops / rivalTiming.median() / 1e6);
    return rows.stream()
        .filter(
            earlier ->
                !settings.tokens().isEmpty()
                    && earlier.subject().equals(entrant.name())
                    && earlier.rival().equals(rival))
        .reduce((first, second) -> second)
        .map(shorter -> growth(row, shorter))
        .orElse(row);
  }

  /** Times over those of the sequence before this one in a sweep. */
  private static BenchRow growth(BenchRow row, BenchRow shorter) {
    return row.with(
            "subjectGrowth", row.subjectTiming().median() / shorter.subjectTiming().median())
        .with("rivalGrowth", row.rivalTiming().median() / shorter.rivalTiming().median());
  }
}
