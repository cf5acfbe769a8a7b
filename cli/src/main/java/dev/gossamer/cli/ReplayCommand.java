package dev.gossamer.cli;

import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.video.Replay;
import dev.gossamer.video.TextToVideo;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer replay}: the video of a report once more. */
@Command(
    name = "replay",
    description = {
      "Make the video of a report again, byte for byte.",
      "Says what differs, and exits with 1, if it does not come out the same."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class ReplayCommand implements Callable<Integer> {
  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(paramLabel = "REPORT", description = "The .json beside a video.")
  private Path report;

  @Option(
      names = "--out",
      paramLabel = "PATH",
      converter = OutPath.Converter.class,
      description =
          "The new video's file, or a folder (default: beside the report, ending in -replay).")
  private OutPath out;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "Where the checkpoint lies now (default: where it was then).")
  private Path model;

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  ReplayCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    Replay replay = Replay.read(report);
    String stem = report.getFileName().toString().replaceFirst("\\.json$", "") + "-replay";
    Path file = out == null ? OutputName.beside(report, stem) : out.file(stem);
    Replay.Outcome outcome;
    try (TextToVideo opened =
            TextToVideo.open(
                model == null ? replay.source() : replay.source().withModel(model),
                replay.options());
        TerminalProgress progress = new TerminalProgress(terminal, interrupted, "")) {
      outcome = replay.replay(opened, file, progress);
    }
    print(outcome);
    if (!outcome.sameVideo()) {
      throw new GossamerException(
          (outcome.sameFrames() ? "Same frames, but another file: " : "Not the same video: ")
              + String.join("; ", outcome.differences()),
          "");
    }
    return 0;
  }

  private void print(Replay.Outcome outcome) {
    if (json) {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("video", outcome.result().files().video().toString());
      document.put("sameFrames", outcome.sameFrames());
      document.put("sameVideo", outcome.sameVideo());
      document.put("differences", outcome.differences());
      Json.print(terminal.out(), document);
      return;
    }
    terminal.out().println(outcome.result().files().video());
    if (outcome.sameVideo()) {
      terminal.err().println("The same video, byte for byte");
    }
  }
}
