package dev.gossamer.cli;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.video.CheckpointSource;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import picocli.CommandLine.Option;

/** Files that take the place of a model's parts, or make a model together. */
final class PartArguments {
  @Option(
      names = "--transformer",
      paramLabel = "FILE",
      description = "The transformer: a safetensors file or folder, in place of the model's own.")
  private Path transformer;

  @Option(names = "--text-encoder", paramLabel = "FILE", description = "The text encoder likewise.")
  private Path textEncoder;

  @Option(
      names = "--text-encoder-2",
      paramLabel = "FILE",
      description = "HunyuanVideo's second text encoder, CLIP, likewise.")
  private Path textEncoder2;

  @Option(names = "--vae", paramLabel = "FILE", description = "The autoencoder likewise.")
  private Path vae;

  @Option(
      names = "--image-encoder",
      paramLabel = "FILE",
      description = "CLIP's vision encoder likewise, for image-to-video.")
  private Path imageEncoder;

  @Option(
      names = "--tokenizer",
      paramLabel = "PATH",
      description =
          "The tokenizer: a folder, tokenizer.json or spiece.model (default: the model's own, or"
              + " the one that the text encoder's file carries).")
  private Path tokenizer;

  @Option(
      names = "--tokenizer-2",
      paramLabel = "PATH",
      description = "The tokenizer of the second text encoder likewise: also vocab.json's folder.")
  private Path tokenizer2;

  /**
   * @param model what was named as the whole model; the mini model stands in for nothing at all
   * @throws dev.gossamer.tensor.failure.UsageException if parts are named, but no transformer
   */
  CheckpointSource source(Optional<Path> model) {
    Map<String, Path> parts = new TreeMap<>();
    put(parts, "transformer", transformer);
    put(parts, "text_encoder", textEncoder);
    put(parts, "text_encoder_2", textEncoder2);
    put(parts, "vae", vae);
    put(parts, "image_encoder", imageEncoder);
    put(parts, "tokenizer", tokenizer);
    put(parts, "tokenizer_2", tokenizer2);
    return model.isEmpty() && parts.isEmpty()
        ? CheckpointSource.of(MiniModel.folder())
        : new CheckpointSource(model, parts);
  }

  private static void put(Map<String, Path> parts, String component, Path file) {
    if (file != null) {
      parts.put(component, file);
    }
  }
}
