package dev.gossamer.cli;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.video.DecodedVideo;
import dev.gossamer.video.RunOptions;
import dev.gossamer.video.TextToVideo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer decode}: saved latents to a video. */
@Command(
    name = "decode",
    description = "Make the video of latents that an earlier run saved.",
    abbreviateSynopsis = true,
    sortOptions = false)
final class DecodeCommand implements Callable<Integer> {
  private static final String ENDING = "(\\.latents)?(\\.safetensors)?$";

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(
      paramLabel = "LATENTS",
      description = "Safetensors file with the tensor 'latents', as --keep-latents leaves it.")
  private Path latents;

  @Option(
      names = "--out",
      paramLabel = "PATH",
      converter = OutPath.Converter.class,
      description = "The video's file, or a folder (default: beside the latents).")
  private OutPath out;

  @Option(
      names = "--save-frames",
      paramLabel = "FILE",
      description = "Write the tensor frames: float32 in 0..1, frames x 3 x height x width.")
  private Path saveFrames;

  @ArgGroup(validate = false, heading = "%nThe model%n")
  private ModelArguments model = new ModelArguments();

  @ArgGroup(validate = false, heading = "%nParts of the model in files of their own%n")
  private PartArguments parts = new PartArguments();

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  DecodeCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    if (!Files.isRegularFile(latents)) {
      throw new BadInputException(
          "Cannot decode "
              + latents
              + (Files.isDirectory(latents) ? ": it is a folder" : ": no such file"),
          "Name a safetensors file");
    }
    String stem = latents.getFileName().toString().replaceFirst(ENDING, "");
    RunOptions run = RunOptions.to(out == null ? OutputName.beside(latents, stem) : out.file(stem));
    if (saveFrames != null) {
      run = run.withSavedFrames(saveFrames);
    }
    try (TextToVideo opened = TextToVideo.open(parts.source(model.model()), model.options());
        TerminalProgress progress = new TerminalProgress(terminal, interrupted, "")) {
      DecodedVideo video = opened.decode(latents, run, progress);
      if (json) {
        Json.print(terminal.out(), video);
      } else {
        terminal.out().println(video.video());
      }
    }
    return 0;
  }
}
