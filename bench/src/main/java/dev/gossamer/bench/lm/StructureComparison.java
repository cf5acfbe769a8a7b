package dev.gossamer.bench.lm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.MachineFacts;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.lm.data.Corpus.Split;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.lm.data.TokenIndex;
import dev.gossamer.lm.train.TrainProgress;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.lm.train.TrainingRun;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.Difference;
import dev.gossamer.tensor.settings.SettingsFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Trains every contestant with every seed, each in a folder of its own, and says what was found.
 * Runs that are finished are left alone and those that were interrupted go on, so the whole can be
 * stopped at any moment and called again.
 *
 * <p>All ranks make the same calls and see the same folder.
 */
public record StructureComparison(ComparisonSettings settings, MatchingCheck matching) {
  /** What the folder is of. */
  public static final String DESCRIPTION = "comparison.json";

  /** Folder of the text that ships inside, which may be there before the description. */
  public static final String TOKENS = "tokens";

  private static final String KIND = "gossamer comparison of structures";
  private static final List<String> FREE = List.of("data", "logEvery", "checkpoint");

  /** One run. */
  private record Planned(String name, Path folder, TrainSettings settings) {}

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if a contestant cannot be matched
   */
  public static StructureComparison of(ComparisonSettings settings) {
    return new StructureComparison(settings, settings.matching());
  }

  /**
   * Refuses a folder that holds something else.
   *
   * @throws BadInputException if it does
   */
  public static void requireOurs(Path out) {
    if (Files.exists(out) && !Files.isDirectory(out)) {
      throw new BadInputException(out + " is a file", "Name a folder that is new");
    }
    if (!Files.isDirectory(out) || Files.isRegularFile(out.resolve(DESCRIPTION))) {
      return;
    }
    try (Stream<Path> entries = Files.list(out)) {
      if (entries.anyMatch(entry -> !entry.getFileName().toString().equals(TOKENS))) {
        throw new BadInputException(
            out + " holds something else than a comparison of structures",
            "Name a folder that is new or empty");
      }
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot read " + out + ": " + PartFile.reason(e), "Name another folder", e);
    }
  }

  /**
   * Trains what is not trained yet; every rank calls it.
   *
   * @param perNode neighbouring ranks that are on one machine
   * @return what was found, on rank 0
   * @throws InterruptedRunException if it was asked to stop; everything is saved then
   * @throws BadInputException if what is in the folder was made with other settings
   */
  public Optional<ComparisonReport> run(
      Communicator world, int perNode, Device device, Threads threads, TrainProgress progress) {
    MachineFacts machine = MachineFacts.now();
    List<Planned> all = planned();
    begin(world, threads.count(), all);
    for (int i = 0; i < all.size(); i++) {
      train(all, i, world, perNode, device, threads, progress);
    }
    return world.rank() == 0
        ? Optional.of(report(machine, world.size(), threads.count()))
        : Optional.empty();
  }

  /** Seed by seed, so that what disturbs the machine for a while meets all contestants alike. */
  private List<Planned> planned() {
    List<Planned> all = new ArrayList<>();
    for (int number = 0; number < settings.seeds(); number++) {
      for (Contestant contestant : settings.contestants()) {
        all.add(planned(contestant.word(), settings.run(contestant, number)));
      }
      if (number == 0 && settings.rateCheck()) {
        all.add(planned(rateFolder("half"), settings.atRate(0.5)));
        all.add(planned(rateFolder("twice"), settings.atRate(2)));
      }
    }
    return all;
  }

  private static String rateFolder(String times) {
    return Contestant.FINE_GRAINED.word() + "-" + times + "-rate";
  }

  private Planned planned(String name, TrainSettings run) {
    return new Planned(
        name + ", seed " + run.seed(),
        settings.out().resolve(name).resolve("seed-" + run.seed()),
        run);
  }

  private void begin(Communicator world, int threads, List<Planned> all) {
    requireOurs(settings.out());
    ObjectNode now = description(world.size(), threads);
    Path file = settings.out().resolve(DESCRIPTION);
    boolean begun = Files.isRegularFile(file);
    if (begun) {
      requireEqual(file, now);
    }
    for (Planned run : all) {
      Path config = run.folder.resolve(TrainingRun.CONFIG);
      if (Files.isRegularFile(config)) {
        requireEqual(config, tree(run.settings.document()));
      }
    }
    world.barrier(); // before any rank writes there
    if (world.rank() == 0 && !begun) {
      try {
        Files.createDirectories(settings.out());
      } catch (IOException e) {
        throw new EnvironmentException(
            "Cannot make " + settings.out() + ": " + PartFile.reason(e), "Name another folder", e);
      }
      PartFile.write(file, now.toPrettyString().getBytes(StandardCharsets.UTF_8));
    }
  }

  private static void requireEqual(Path file, ObjectNode now) {
    ObjectNode then = SettingsFile.read(file).tree();
    then.remove(FREE);
    ObjectNode wanted = now.deepCopy();
    wanted.remove(FREE);
    Difference.first("", then, wanted)
        .ifPresent(
            difference -> {
              throw new BadInputException(
                  "Cannot go on with " + file + ": " + difference,
                  "Use the settings of that comparison, or another folder");
            });
  }

  /** What all runs have in common, and what their times depend on. Seeds and arms may be added. */
  private ObjectNode description(int ranks, int threads) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("kind", KIND);
    document.put("text", text(Split.TRAIN));
    document.put("heldOut", text(Split.VALIDATION));
    document.put("ranks", ranks);
    document.put("threads", threads);
    document.put("latent", settings.model().latent());
    document.putAll(settings.run(Contestant.FINE_GRAINED, 0).document());
    return tree(document);
  }

  private Map<String, Object> text(Split split) {
    Path file = split.in(settings.data());
    if (!Files.isRegularFile(file)) {
      throw new BadInputException(
          "There is no " + file.getFileName() + " in " + settings.data(),
          "Structures are compared on held-out text; tokenize with a validation part");
    }
    TokenIndex index = TokenFile.open(file).index();
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("tokens", index.tokens());
    document.put("bytes", index.textBytes());
    document.put("tokenizer", index.tokenizer());
    return document;
  }

  /** By way of its text, so that numbers have the types that they have when they are read. */
  private static ObjectNode tree(Map<String, Object> document) {
    try {
      ObjectMapper mapper = new ObjectMapper();
      return (ObjectNode) mapper.readTree(mapper.writeValueAsString(document));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("Not a JSON document: " + document, e);
    }
  }

  private void train(
      List<Planned> all,
      int number,
      Communicator world,
      int perNode,
      Device device,
      Threads threads,
      TrainProgress progress) {
    Planned run = all.get(number);
    boolean done = TrainedRun.read(run.folder, run.settings).isPresent();
    if (world.rank() == 0) {
      progress.note(
          run.name + " (" + (number + 1) + " of " + all.size() + ")" + (done ? ": done" : ""));
    }
    if (done) {
      return;
    }
    try {
      new TrainingRun(run.settings, settings.data(), run.folder, true)
          .run(world, perNode, device, threads, progress);
    } catch (InterruptedRunException e) {
      throw new InterruptedRunException(
          run.name + ": " + e.found(), "Go on with the same command", e);
    }
  }

  private ComparisonReport report(MachineFacts machine, int ranks, int threads) {
    ModelledCluster cluster =
        new ModelledCluster(
            settings.model().fineGrained().topK(),
            (double) settings.model().latent() / settings.model().fineGrained().hidden());
    List<ComparisonReport.Arm> arms = new ArrayList<>();
    for (Contestant contestant : settings.contestants()) {
      List<TrainedRun> runs = new ArrayList<>();
      for (int number = 0; number < settings.seeds(); number++) {
        runs.add(finished(contestant.word(), settings.run(contestant, number)));
      }
      arms.add(new ComparisonReport.Arm(contestant, runs, cluster.stepSeconds(contestant)));
    }
    List<TrainedRun> rates =
        settings.rateCheck()
            ? List.of(
                finished(rateFolder("half"), settings.atRate(0.5)),
                finished(rateFolder("twice"), settings.atRate(2)))
            : List.of();
    return new ComparisonReport(
        settings, matching, arms, rates, ranks, threads, machine.document());
  }

  private TrainedRun finished(String name, TrainSettings run) {
    Path folder = planned(name, run).folder;
    return TrainedRun.read(folder, run)
        .orElseThrow(
            () ->
                new BadInputException(
                    "The figures in " + folder + " do not reach the last step",
                    "Remove that folder and call the command again"));
  }

  /** Writes {@code results.json} and {@code results.md}. */
  public static void write(ComparisonReport report) {
    Path out = report.settings().out();
    String json = BenchReport.json(report.document()) + "\n";
    PartFile.write(out.resolve("results.json"), json.getBytes(StandardCharsets.UTF_8));
    String page = ComparisonPage.markdown(report);
    PartFile.write(out.resolve("results.md"), page.getBytes(StandardCharsets.UTF_8));
  }
}
