package dev.gossamer.cli;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.VideoResult;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer generate}: a video from a prompt, or many from a list of prompts. */
@Command(
    name = "generate",
    description = {
      "Make a video from a prompt.",
      "Writes an H.264 video, a contact sheet (.png) and a report (.json); prints the video's path."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class GenerateCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(arity = "0..1", paramLabel = "PROMPT", description = "What to draw.")
  private String prompt;

  @Option(
      names = "--prompts",
      paramLabel = "FILE",
      description =
          "Many prompts, one per line, # begins a comment; videos that are there are left alone.")
  private Path prompts;

  @Option(
      names = "--out",
      paramLabel = "PATH",
      converter = OutPath.Converter.class,
      description =
          "The video's file, .mp4 is added if it is missing, or a folder; with --prompts a folder"
              + " (default: named after the prompt or the list, here).")
  private OutPath out;

  @ArgGroup(validate = false, heading = "%nThe video%n")
  private RequestArguments request = new RequestArguments();

  @ArgGroup(validate = false, heading = "%nSelf-attention%n")
  private AttentionArguments attention = new AttentionArguments();

  @ArgGroup(validate = false, heading = "%nThe model%n")
  private ModelArguments model = new ModelArguments();

  @ArgGroup(validate = false, heading = "%nParts of the model in files of their own%n")
  private PartArguments parts = new PartArguments();

  @ArgGroup(validate = false, heading = "%nThe run%n")
  private RunArguments run = new RunArguments();

  @Option(
      names = "--dry-run",
      description = "Print tokens, floating-point operations and memory; make nothing.")
  private boolean dryRun;

  @Option(names = "--json", description = "Print one JSON document to stdout: the report.")
  private boolean json;

  @Mixin private CommonArguments common;

  GenerateCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    if ((prompt == null) == (prompts == null)) {
      throw new UsageException(
          prompt == null ? "There is nothing to draw" : "Both a prompt and --prompts are given",
          "Give a prompt, as in: gossamer generate \"a cat bounces\", or --prompts FILE");
    }
    ModelOptions options = model.options();
    PromptList list = prompts == null ? null : PromptList.read(prompts);
    try (TextToVideo opened = TextToVideo.open(parts.source(model.model()), options)) {
      AttentionMethod method = attention.method(opened);
      if (list != null) {
        makeAll(opened, method, list);
      } else if (dryRun) {
        printPlan(opened, request.request(opened, prompt, method));
      } else {
        make(opened, request.request(opened, prompt, method));
      }
    }
    return 0;
  }

  private void printPlan(TextToVideo opened, VideoRequest wanted) {
    PlanText plan = PlanText.of(opened, wanted);
    if (json) {
      Json.print(terminal.out(), plan.document());
    } else {
      terminal.out().println(plan.text());
    }
  }

  private void make(TextToVideo opened, VideoRequest wanted) {
    Path file =
        out == null ? OutputName.of(Path.of(""), prompt) : out.file(PromptList.slug(prompt));
    VideoResult result = new Attempt(terminal, interrupted).make(opened, wanted, run.run(file));
    terminal.out().println(json ? result.report().json() : result.files().video());
  }

  private void makeAll(TextToVideo opened, AttentionMethod method, PromptList list) {
    if (!run.optionForOneVideo().isEmpty()) {
      throw new UsageException(
          run.optionForOneVideo() + " names one file, but --prompts makes many videos",
          "Leave one of them out");
    }
    Path folder = out == null ? list.folder() : out.path();
    if (dryRun) {
      printPlan(opened, request.request(opened, list.prompts().get(0), method));
      return;
    }
    // What is wrong with every prompt alike costs one line, and not one for each.
    opened.check(
        request.request(opened, list.prompts().get(0), method), run.run(list.output(folder, 0)));
    PromptBatch batch = new PromptBatch(terminal, interrupted, !json);
    PromptBatch.Outcome outcome =
        batch.make(opened, list, folder, text -> request.request(opened, text, method), run::run);
    if (json) {
      Json.print(terminal.out(), outcome.document());
    }
    outcome.requireAll();
  }
}
