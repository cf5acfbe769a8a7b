package dev.gossamer.cli;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.launch.LaunchPlan;
import dev.gossamer.lm.ModelDocument;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.serve.ChatFormat;
import dev.gossamer.lm.serve.EngineSettings;
import dev.gossamer.lm.serve.ModelServer;
import dev.gossamer.lm.serve.ServerSettings;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer serve}: a language model over HTTP. */
@Command(
    name = "serve",
    description = {
      "Serve a language model over HTTP, as OpenAI's interface describes it.",
      "Prints the address when it answers. Texts of many clients are continued at once. Ctrl-C and"
          + " SIGTERM let those that are there end. On several ranks, started by launch, torchrun"
          + " or srun, each holds a share of the experts, and the first answers."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class ServeCommand implements Callable<Integer> {
  static final String TOKEN = "GOSSAMER_TOKEN";
  private static final int LONGEST_GRACE = 50; // Interruption waits for 60 seconds
  private static final int LAST_WORDS = 3; // seconds for answers that are cut off, and the end
  private static final int MOST_OF_TOKEN = 4096;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Mixin private LanguageModelArguments model;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description =
          "By which clients ask for the model (default: the folder's name; gossamer-mini for the"
              + " one inside).")
  private String name;

  @Option(
      names = "--host",
      paramLabel = "HOST",
      description =
          "Address of this machine to listen on; 0.0.0.0 for all (default: ${DEFAULT-VALUE}).")
  private String host = "127.0.0.1";

  @Option(
      names = "--port",
      paramLabel = "N",
      description = "0 takes any that is free (default: ${DEFAULT-VALUE}).")
  private int port = 8000;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description =
          "Holds the token that clients have to send (default: that in the variable "
              + TOKEN
              + ", or"
              + " none).")
  private Path tokenFile;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Texts that are continued at once (default: ${DEFAULT-VALUE}).")
  private int batch = 8;

  @Option(
      names = "--queue",
      paramLabel = "N",
      description =
          "Texts that may wait besides; further requests get status 429 (default:"
              + " ${DEFAULT-VALUE}).")
  private int queue = 64;

  @Option(
      names = "--cache-tokens",
      paramLabel = "N",
      description =
          "Tokens, prompts included, that the texts which are continued may come to have together"
              + " (default: batch times context, or what half of the free memory holds).")
  private Integer cacheTokens;

  @Option(
      names = "--grace",
      paramLabel = "SECONDS",
      description =
          "How long texts may still go on after Ctrl-C, 0 to 50 (default: ${DEFAULT-VALUE}).")
  private int grace = 10;

  @ArgGroup(validate = false, heading = "%nRanks%n")
  private RankArguments ranks = new RankArguments();

  @Mixin private CommonArguments common;

  ServeCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    if (grace < 0 || grace > LONGEST_GRACE) {
      throw new UsageException(
          "--grace " + grace + " is no time to wait for", "Use 0 to " + LONGEST_GRACE + " seconds");
    }
    requireTimeToEnd(System.getenv(LaunchPlan.GRACE_VARIABLE));
    ServerSettings settings = new ServerSettings(host, port, token(), ServerSettings.MAX_BODY);
    new EngineSettings(batch, wantedCache().orElse(2), queue, EngineSettings.PREFILL); // or refused
    try (ModelServer server = ranks.hasFirst() ? new ModelServer(settings) : null) {
      ranks.run(world -> serve(server, world, settings));
    }
    return 0;
  }

  /**
   * @param seconds that launch gives its ranks before it kills them; null without
   */
  private void requireTimeToEnd(String seconds) {
    if (seconds == null) {
      return;
    }
    if (!seconds.matches("\\d{1,9}")) {
      throw new UsageException(
          LaunchPlan.GRACE_VARIABLE + " is '" + seconds + "', no number of seconds", "Unset it");
    }
    if (grace + LAST_WORDS > Integer.parseInt(seconds)) {
      long most = LaunchPlan.LONGEST_GRACE.toSeconds();
      throw new UsageException(
          "--grace " + grace + " does not fit: launch kills its ranks after " + seconds + " s",
          grace + LAST_WORDS > most
              ? "Use launch --grace " + most + " and at most " + (most - LAST_WORDS) + " here"
              : "Use launch --grace " + (grace + LAST_WORDS) + ", or less here");
    }
  }

  private OptionalInt wantedCache() {
    return cacheTokens == null ? OptionalInt.empty() : OptionalInt.of(cacheTokens);
  }

  /**
   * @param server of the first rank
   */
  private void serve(ModelServer server, Communicator world, ServerSettings settings) {
    try (Threads pool = model.pool(world);
        RankGrid grid = RankGrid.flat(world);
        SavedModel opened = model.open(grid, pool, terminal)) {
      world.agree("the model", ModelDocument.of(opened.model().settings()) + model.dtype());
      opened.model().onFirstRank(() -> answer(server, opened, world.size(), settings));
    }
  }

  private void answer(ModelServer server, SavedModel opened, int size, ServerSettings settings) {
    try (server) { // ends before the model is freed and the other ranks are let go
      EngineSettings work = EngineSettings.fitting(opened.model(), batch, wantedCache(), queue);
      server.start(name(), opened.model(), opened.tokenizer(), work);
      tell(server, opened, work, size, settings);
      server.awaitEnd(interrupted);
      stop(server);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedRunException("Interrupted", "", e);
    }
  }

  private Optional<String> token() {
    if (tokenFile == null) {
      return Optional.ofNullable(System.getenv(TOKEN));
    }
    try {
      if (Files.size(tokenFile) > MOST_OF_TOKEN) {
        throw new BadInputException(
            "Cannot read " + tokenFile + ": " + Files.size(tokenFile) + " bytes are no token",
            "Name a file with nothing but the token");
      }
      String token = Files.readString(tokenFile).strip();
      if (token.isEmpty()) {
        throw new BadInputException("There is no token in " + tokenFile, "Write one into it");
      }
      return Optional.of(token);
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + tokenFile + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
  }

  private String name() {
    return name != null ? name : model.name();
  }

  private void tell(
      ModelServer server,
      SavedModel opened,
      EngineSettings work,
      int size,
      ServerSettings settings) {
    terminal
        .err()
        .println(
            Terminal.harmless(
                String.format(
                    Locale.ROOT,
                    "Serving %s%s: context %d, batch %d, queue %d, cache %,d tokens (%s)",
                    name(),
                    size == 1 ? "" : " with the experts of " + size + " ranks",
                    opened.model().settings().context(),
                    work.batch(),
                    work.queue(),
                    work.cacheTokens(),
                    Amounts.bytes(work.cacheTokens() * opened.model().cacheBytesPerToken()))));
    if (ChatFormat.isOverruledIn(opened.source())) {
      terminal
          .err()
          .println(
              "The model's chat_template is not interpreted: conversations are plain lines of User"
                  + " and Assistant");
    }
    if (settings.token().isEmpty() && !server.isLocal()) {
      terminal
          .err()
          .println(
              "Whoever reaches "
                  + Terminal.harmless(host)
                  + " may use the model: there is no token. See --token-file");
    }
    terminal.out().println(server.url());
    terminal.out().flush();
  }

  private void stop(ModelServer server) throws InterruptedException {
    int texts = server.texts();
    if (texts > 0) {
      terminal.err().println("Finishing " + count(texts) + ", for at most " + grace + " s");
    }
    int left = server.stop(Duration.ofSeconds(grace));
    throw new InterruptedRunException(
        left == 0 ? "Stopped" : "Stopped; cut off " + count(left), "");
  }

  private static String count(int texts) {
    return texts == 1 ? "1 text" : texts + " texts";
  }
}
