package dev.gossamer.bench.lm;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.Ranks;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Traffic;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.settings.Words;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * {@code gossamer bench lm}: whole language models of several structures over the ranks of a world.
 * A step of training, with forward, backward, sums of gradients and the optimiser; and texts that
 * go on behind a prompt, each rank its own, with the experts of all. The structures take turns in
 * the same run; a run is over when the slowest rank is done.
 *
 * <p>Every rank calls {@link #run}; all get the same report.
 */
public final class LmBench {
  private static final int WARM_STEPS = 2;

  private final LmBenchSettings settings;
  private final TokenFile text;
  private final Ranks ranks;
  private final Device device;
  private final Threads threads;
  private final BenchProgress progress;
  private final List<BenchRow> rows = new ArrayList<>();

  private LmBench(
      LmBenchSettings settings,
      TokenFile text,
      Ranks ranks,
      Device device,
      Threads threads,
      BenchProgress progress) {
    this.settings = settings;
    this.text = text;
    this.ranks = ranks;
    this.device = device;
    this.threads = threads;
    this.progress = progress;
  }

  /**
   * Measures on this rank, together with all others.
   *
   * @param text what models learn from and continue, the same on all ranks
   * @param perNode neighbouring ranks that are on one machine
   * @param device where this rank computes
   * @throws dev.gossamer.tensor.failure.GossamerException if ranks differ in their settings, or
   *     cannot share a step's sequences evenly
   */
  public static BenchReport run(
      LmBenchSettings settings,
      TokenFile text,
      Communicator world,
      int perNode,
      Device device,
      Threads threads,
      BenchProgress progress) {
    MachineFacts machine = MachineFacts.now();
    world.agree("the settings of the benchmark", settings.document() + " " + text.index());
    LmBench bench =
        new LmBench(settings, text, new Ranks(world, perNode), device, threads, progress);
    for (LmCase one : settings.cases()) {
      bench.measure(one);
    }
    return new BenchReport(machine.document(), bench.document(), bench.rows);
  }

  private Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("ranks", ranks.world().size());
    document.put("ranksPerNode", ranks.perNode());
    document.put("device", device.isCpu() ? "cpu" : "cuda");
    document.put("threads", threads.count());
    document.putAll(settings.document());
    return document;
  }

  private void measure(LmCase one) {
    List<LmEntrant> entrants = new ArrayList<>();
    try {
      for (MatchingCheck.Row arm : one.matching().rows()) {
        entrants.add(
            new LmEntrant(
                arm, one, settings, text, ranks.world(), ranks.perNode(), device, threads));
      }
      if (settings.measures().contains(Measure.TRAINING)) {
        train(one, entrants);
      }
      if (settings.measures().contains(Measure.GENERATION)) {
        generate(one, entrants);
      }
    } finally {
      entrants.forEach(LmEntrant::close);
    }
  }

  private void train(LmCase one, List<LmEntrant> entrants) {
    progress.note("top-" + one.top() + ", training");
    for (int step = 0; step < WARM_STEPS; step++) {
      entrants.forEach(LmEntrant::learn);
    }
    entrants.forEach(LmEntrant::begin);
    List<Runnable> works = new ArrayList<>();
    entrants.forEach(entrant -> works.add(entrant::learn));
    List<Timing> timings = TurnByTurn.measure(works, settings.runs(), progress);
    long tokens = (long) one.training().batch() * one.training().sequence();
    for (int i = 0; i < entrants.size(); i++) {
      LmEntrant entrant = entrants.get(i);
      Map<String, Object> figures = figures(Measure.TRAINING, one, entrant);
      figures.put("tokens", tokens);
      figures.put("tokensPerSecond", tokens / timings.get(i).median() * 1e3);
      double seconds = seconds(timings.get(i));
      figures.put("exchangeShare", ranks.mean(entrant.exchangeSeconds() / seconds));
      figures.put("waitShare", ranks.mean(entrant.waitSeconds() / seconds));
      putTraffic(figures, entrant.sent());
      figures.put("maxViolationMean", entrant.last().balance().mean());
      rows.add(row("training", one, entrant, timings.get(i), rival(entrants, timings), figures));
    }
  }

  private void generate(LmCase one, List<LmEntrant> entrants) {
    progress.note("top-" + one.top() + ", generation");
    entrants.forEach(LmEntrant::generate);
    entrants.forEach(LmEntrant::begin);
    List<Supplier<List<Double>>> works = new ArrayList<>();
    entrants.forEach(entrant -> works.add(entrant::generate));
    List<List<Timing>> laps = TurnByTurn.laps(works, settings.runs(), progress);
    List<Timing> wholes = laps.stream().map(marks -> marks.get(marks.size() - 1)).toList();
    int texts = settings.texts() * ranks.world().size();
    for (int i = 0; i < entrants.size(); i++) {
      LmEntrant entrant = entrants.get(i);
      double share = ranks.mean(entrant.exchangeSeconds() / seconds(wholes.get(i)));
      Map<String, Object> ofWhole = new LinkedHashMap<>();
      putTraffic(ofWhole, entrant.sent());
      for (int mark = 0; mark < settings.lengths().size(); mark++) {
        int length = settings.lengths().get(mark);
        Map<String, Object> figures = figures(Measure.GENERATION, one, entrant);
        figures.put("tokens", (long) texts * length);
        figures.put("length", length);
        figures.put("tokensPerSecond", texts * length / laps.get(i).get(mark).median() * 1e3);
        if (length == settings.longest()) {
          figures.put("exchangeShare", share);
          figures.putAll(ofWhole);
        }
        int at = mark;
        List<Timing> marks = laps.stream().map(of -> of.get(at)).toList();
        String what =
            length + (length == 1 ? " token behind " : " tokens behind ") + settings.prompt();
        rows.add(row(what, one, entrant, marks.get(i), rival(entrants, marks), figures));
      }
    }
  }

  private static Timing rival(List<LmEntrant> entrants, List<Timing> timings) {
    for (int i = 0; i < entrants.size(); i++) {
      if (entrants.get(i).arm().contestant() == Contestant.FINE_GRAINED) {
        return timings.get(i);
      }
    }
    throw new IllegalStateException("No fine-grained model was measured");
  }

  private static double seconds(Timing timing) {
    return timing.millis().stream().mapToDouble(millis -> millis / 1e3).sum();
  }

  private static Map<String, Object> figures(Measure measure, LmCase one, LmEntrant entrant) {
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("measure", Words.of(measure));
    figures.put("topK", one.top());
    figures.put("weights", entrant.arm().count().parameters());
    figures.put("activeWeights", entrant.arm().count().activeParameters());
    figures.put("forwardFlopsPerToken", entrant.arm().count().forwardFlops());
    return figures;
  }

  /** Of all ranks in one run. */
  private void putTraffic(Map<String, Object> figures, Traffic sent) {
    figures.put("wireBytes", ranks.sum(sent.remoteBytes()) / settings.runs());
    figures.put(
        "betweenNodesBytes", ranks.sum(sent.bytesBetweenNodes(ranks.perNode())) / settings.runs());
  }

  private BenchRow row(
      String what,
      LmCase one,
      LmEntrant entrant,
      Timing timing,
      Timing rival,
      Map<String, Object> figures) {
    int all = ranks.world().size();
    return new BenchRow(
        what + ", top-" + one.top() + " on " + (all == 1 ? "1 rank" : all + " ranks"),
        entrant.arm().contestant().word(),
        Contestant.FINE_GRAINED.word(),
        timing,
        rival,
        Double.NaN,
        figures);
  }
}
