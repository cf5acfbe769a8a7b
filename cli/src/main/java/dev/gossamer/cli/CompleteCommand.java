package dev.gossamer.cli;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.lm.ModelDocument;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.InterruptedRunException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer complete}: a text goes on. */
@Command(
    name = "complete",
    description = {
      "Continue a text with a language model.",
      "Prints prompt and continuation as they come. The same seed gives the same text. On several"
          + " ranks, started by launch, torchrun or srun, each holds a share of the experts."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class CompleteCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(paramLabel = "PROMPT", description = "The text to continue.")
  private String prompt;

  @Mixin private LanguageModelArguments model;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      description = "At most so many; fewer where the context ends (default: ${DEFAULT-VALUE}).")
  private int maxTokens = 128;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      description = "0 takes the most likely token (default: ${DEFAULT-VALUE}).")
  private double temperature = 0.6;

  @Option(
      names = "--top-k",
      paramLabel = "N",
      description = "Only the N most likely tokens; 0 for all (default: ${DEFAULT-VALUE}).")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Only the most likely ones of this probability (default: ${DEFAULT-VALUE}).")
  private double topP = 1;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description =
          "Only those with this share of the most likely one's probability (default:"
              + " ${DEFAULT-VALUE}).")
  private double minP;

  @Option(
      names = "--repetition-penalty",
      paramLabel = "X",
      description = "Divides logits of tokens that were there; 1 for none (default: 1).")
  private double repetition = 1;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Taken from logits of generated tokens (default: 0).")
  private double presence;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description = "Likewise for each time (default: 0).")
  private double frequency;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "Ends the text before it; may be given several times.")
  private List<String> stops = new ArrayList<>();

  @Option(names = "--ignore-end", description = "Go on behind the end of a document.")
  private boolean ignoreEnd;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of the choice (default: ${DEFAULT-VALUE}).")
  private long seed = 1;

  @Option(names = "--no-cache", description = "Compute the whole text for every token.")
  private boolean noCache;

  @Option(names = "--json", description = "Print one JSON document to stdout instead.")
  private boolean json;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  CompleteCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    SamplingSettings sampling =
        new SamplingSettings(
            Map.of(), repetition, presence, frequency, temperature, topK, topP, minP, seed);
    Completion completion = new Completion(sampling, maxTokens, stops, ignoreEnd, !noCache);
    ranks.run(world -> complete(completion, world));
    return 0;
  }

  private void complete(Completion completion, Communicator world) {
    try (Threads pool = model.pool(world);
        RankGrid grid = RankGrid.flat(world);
        SavedModel opened = model.open(grid, pool, terminal)) {
      world.agree("the model", ModelDocument.of(opened.model().settings()) + model.dtype());
      opened.model().onFirstRank(() -> complete(completion, opened));
    }
  }

  private void complete(Completion completion, SavedModel opened) {
    int[] ids = opened.tokenizer().encode(prompt);
    if (!json) {
      terminal.out().print(prompt);
    }
    Completion.Result result =
        completion.run(opened.model(), opened.tokenizer(), ids, this::show, interrupted);
    print(result);
    if (result.finish() == Completion.Finish.CANCELLED) {
      throw new InterruptedRunException("Interrupted", "");
    }
  }

  private void show(String piece) {
    if (!json) {
      terminal.out().print(piece);
      terminal.out().flush();
    }
  }

  private void print(Completion.Result result) {
    double perSecond =
        result.decodeSeconds() > 0 ? (result.ids().length - 1) / result.decodeSeconds() : 0;
    if (json) {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("prompt", prompt);
      document.put("text", result.text());
      document.put("finish", result.finish().name().toLowerCase(Locale.ROOT));
      document.put("promptTokens", result.prompt().length);
      document.put("ids", result.ids());
      document.put("seed", seed);
      document.put("prefillSeconds", result.prefillSeconds());
      document.put("tokensPerSecond", perSecond);
      Json.print(terminal.out(), document);
      return;
    }
    terminal.out().println();
    terminal
        .err()
        .println(
            String.format(
                Locale.ROOT,
                "%d tokens behind %d, %s; first after %.2f s, then %.1f tokens/s",
                result.ids().length,
                result.prompt().length,
                result.finish().name().toLowerCase(Locale.ROOT),
                result.prefillSeconds(),
                perSecond));
  }
}
