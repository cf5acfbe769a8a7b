package dev.gossamer.bench.serve;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.bench.TextTable;
import dev.gossamer.bench.Timing;
import dev.gossamer.bench.TurnByTurn;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.data.Corpus;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.lm.serve.EngineSettings;
import dev.gossamer.lm.serve.ModelServer;
import dev.gossamer.lm.serve.ServerSettings;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * {@code gossamer bench serve}: the same requests of more and more clients at once, over HTTP, and
 * as a rival one after the other without a server. Texts are continued greedily by the same number
 * of tokens each; prompts are pieces of the text that ships inside. The cases take turns.
 */
public final class ServeBench {
  private static final int WARM = 8; // requests of each case before any is measured
  private static final String HOST = "127.0.0.1";
  private static final String NAME = "model";
  private static final String RIVAL = "complete";
  private static final String SUBJECT = "serve";

  private final ServeBenchSettings settings;
  private final List<int[]> prompts;
  private final BenchProgress progress;
  private final List<Case> cases = new ArrayList<>();

  /** Something that is measured; the loads of all its runs are kept. */
  private record Case(String name, int atOnce, Function<List<int[]>, Load> work, List<Load> loads) {
    Case(String name, int atOnce, Function<List<int[]>, Load> work) {
      this(name, atOnce, work, new ArrayList<>());
    }

    List<Double> run(List<int[]> prompts) {
      long begin = System.nanoTime();
      Load load = work.apply(prompts);
      double millis = (System.nanoTime() - begin) / 1e6;
      loads.add(load);
      return List.of(millis);
    }
  }

  private ServeBench(ServeBenchSettings settings, int[] text, BenchProgress progress) {
    this.settings = settings;
    this.progress = progress;
    if (text.length < settings.prompt()) {
      throw new UsageException(
          "Prompts of " + settings.prompt() + " tokens; the text inside has " + text.length,
          "Use shorter ones");
    }
    this.prompts = new ArrayList<>();
    for (int i = 0; i < settings.requests(); i++) {
      int from = (int) ((long) i * settings.prompt() % (text.length - settings.prompt() + 1));
      prompts.add(Arrays.copyOfRange(text, from, from + settings.prompt()));
    }
  }

  /**
   * Measures a server in this process, against the same requests one after the other by {@link
   * Completion}.
   *
   * @param model used by nobody else meanwhile
   * @throws UsageException if the requests do not fit the model's context
   */
  public static BenchReport run(
      ServeBenchSettings settings, SavedModel model, BenchProgress progress) {
    int context = model.model().settings().context();
    if (settings.prompt() + settings.generate() > context) {
      throw new UsageException(
          settings.prompt()
              + " tokens and "
              + settings.generate()
              + " more do not fit a context of "
              + context,
          "Use fewer");
    }
    ServeBench bench =
        new ServeBench(settings, model.tokenizer().encodePlain(Corpus.excerpt()), progress);
    EngineSettings work =
        EngineSettings.fitting(
            model.model(),
            settings.batch().orElse(settings.most()),
            OptionalInt.empty(),
            settings.most());
    bench.cases.add(new Case(RIVAL, 1, some -> bench.completed(some, model)));
    for (int atOnce : settings.concurrency()) {
      bench.cases.add(new Case(SUBJECT, atOnce, some -> bench.served(some, model, work, atOnce)));
    }
    return bench.measure(Map.of("batch", work.batch()));
  }

  /**
   * Measures a server that runs elsewhere; the rival is the first number of clients.
   *
   * @param url of its interface, ending in {@code /v1}
   * @param token that it wants
   */
  public static BenchReport run(
      ServeBenchSettings settings, String url, Optional<String> token, BenchProgress progress) {
    Clients clients = new Clients(url, token);
    ServeBench bench = new ServeBench(settings, clients.tokens(Corpus.excerpt()), progress);
    for (int atOnce : settings.concurrency()) {
      bench.cases.add(
          new Case(SUBJECT, atOnce, some -> clients.ask(some, settings.generate(), atOnce)));
    }
    return bench.measure(Map.of("url", url));
  }

  private Load completed(List<int[]> some, SavedModel model) {
    Completion greedy =
        new Completion(SamplingSettings.GREEDY, settings.generate(), List.of(), true, true);
    Load all = Load.NONE;
    for (int[] prompt : some) {
      List<Long> pieces = new ArrayList<>();
      long begin = System.nanoTime();
      int tokens =
          greedy
              .run(
                  model.model(),
                  model.tokenizer(),
                  prompt,
                  piece -> {
                    if (!piece.isEmpty()) {
                      pieces.add(System.nanoTime());
                    }
                  },
                  progress::cancelled)
              .ids()
              .length;
      all = all.and(Load.of(begin, pieces, tokens, settings.generate()));
    }
    return all;
  }

  /** A server of its own each time, as a model belongs to one at a time. */
  private Load served(List<int[]> some, SavedModel model, EngineSettings work, int atOnce) {
    ServerSettings here = new ServerSettings(HOST, 0, Optional.empty(), ServerSettings.MAX_BODY);
    try (ModelServer server = new ModelServer(here)) {
      server.start(NAME, model.model(), model.tokenizer(), work);
      return new Clients(server.url(), Optional.empty()).ask(some, settings.generate(), atOnce);
    }
  }

  private BenchReport measure(Map<String, Object> how) {
    MachineFacts machine = MachineFacts.now();
    progress.note("warming up");
    for (Case one : cases) {
      progress.check();
      one.run(prompts.subList(0, Math.min(WARM, prompts.size())));
      one.loads().clear();
    }
    progress.note("measuring");
    List<Supplier<List<Double>>> works = new ArrayList<>();
    cases.forEach(one -> works.add(() -> one.run(prompts)));
    List<Timing> timings =
        TurnByTurn.laps(works, settings.runs(), progress).stream()
            .map(laps -> laps.get(0))
            .toList();
    List<BenchRow> rows = new ArrayList<>();
    for (int i = 0; i < cases.size(); i++) {
      rows.add(row(cases.get(i), timings.get(i), timings.get(0)));
    }
    Map<String, Object> document = settings.document();
    document.putAll(how);
    return new BenchReport(machine.document(), document, rows);
  }

  private BenchRow row(Case one, Timing timing, Timing rival) {
    Load all = one.loads().stream().reduce(Load.NONE, Load::and);
    double seconds = timing.median() / 1e3;
    int runs = one.loads().size();
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("atOnce", one.atOnce());
    figures.put("tokensPerSecond", all.tokens() / (double) runs / seconds);
    figures.put("requestsPerSecond", settings.requests() / seconds);
    putShares(figures, "firstMillis", all.firsts());
    putShares(figures, "betweenMillis", all.betweens());
    figures.put("errors", all.errors());
    return new BenchRow(
        String.format(
            "%d requests, %d tokens behind %d",
            settings.requests(), settings.generate(), settings.prompt()),
        one.name(),
        cases.get(0).name(),
        timing,
        rival,
        Double.NaN,
        figures);
  }

  private static void putShares(Map<String, Object> figures, String name, List<Double> millis) {
    boolean none = millis.isEmpty();
    figures.put(name + "P50", none ? Double.NaN : new Timing(millis).quantile(0.5));
    figures.put(name + "P95", none ? Double.NaN : new Timing(millis).quantile(0.95));
  }

  /** What a person reads of a report, without a line break at the end. */
  public static String table(BenchReport report) {
    TextTable table =
        new TextTable(
            "by",
            "at once",
            "tokens/s",
            "x " + report.rows().get(0).subject(),
            "requests/s",
            "first ms p50",
            "p95",
            "between ms p50",
            "p95",
            "errors");
    for (BenchRow row : report.rows()) {
      table.row(
          row.subject(),
          String.valueOf(row.more().get("atOnce")),
          figure((double) row.more().get("tokensPerSecond"), 1),
          figure(row.ratio(), 2),
          figure((double) row.more().get("requestsPerSecond"), 2),
          figure((double) row.more().get("firstMillisP50"), 1),
          figure((double) row.more().get("firstMillisP95"), 1),
          figure((double) row.more().get("betweenMillisP50"), 1),
          figure((double) row.more().get("betweenMillisP95"), 1),
          String.valueOf(row.more().get("errors")));
    }
    return heading(report.settings()) + "\n\n" + table.plain();
  }

  private static String heading(Map<String, Object> settings) {
    Object batch = settings.get("batch");
    return String.format(
        "%s requests of %s tokens behind %s%s; median of %s runs, in turn",
        settings.get("requests"),
        settings.get("newTokens"),
        settings.get("promptTokens"),
        batch == null ? " to " + settings.get("url") : ", batch " + batch,
        settings.get("runs"));
  }
}
