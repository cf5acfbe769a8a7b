package dev.gossamer.cli;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.Residency;
import dev.gossamer.video.Tiles;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Option;

/** Which model, and where and how it computes. */
final class ModelArguments {
  @Option(
      names = "--model",
      paramLabel = "DIR",
      description =
          "Wan 2.1, CogVideoX or HunyuanVideo text-to-video checkpoint in diffusers layout"
              + " (default: the mini model).")
  private Path model;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Compute in fp32, bf16 or fp16 (default: ${DEFAULT-VALUE}).")
  private String dtype = ModelOptions.defaults().dtype().optionName();

  @Option(
      names = "--decoder-dtype",
      paramLabel = "TYPE",
      description =
          "Decode in fp32, as the reference does, bf16 or fp16: two to three times as fast where the"
              + " processor multiplies bf16, half the memory, slightly other pixels (default:"
              + " ${DEFAULT-VALUE}).")
  private String decoderDtype = ModelOptions.defaults().decoderDtype().optionName();

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "cpu, cuda or cuda:N (default: ${DEFAULT-VALUE}).")
  private String device = ModelOptions.defaults().device().toString();

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Processor threads that compute (default: all cores, here ${DEFAULT-VALUE}).")
  private int threads = ModelOptions.defaults().threads();

  @Option(
      names = "--residency",
      paramLabel = "POLICY",
      description =
          "keep: the whole model stays in memory; staged: one part at a time; auto: keep if it fits"
              + " (default: ${DEFAULT-VALUE}).")
  private String residency = ModelOptions.defaults().residency().name().toLowerCase(Locale.ROOT);

  @Option(
      names = "--tiles",
      paramLabel = "WHEN",
      description =
          "on: decode large frames in overlapping tiles, with less memory and slightly other"
              + " pixels; off (default: ${DEFAULT-VALUE}).")
  private String tiles = ModelOptions.defaults().tiles().name().toLowerCase(Locale.ROOT);

  /** The checkpoint's folder; unpacks the mini model if it is the one. */
  Path folder() {
    return model == null ? MiniModel.folder() : model;
  }

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if a value is not one of the known
   * @throws dev.gossamer.tensor.failure.EnvironmentException if there is no such card
   */
  ModelOptions options() {
    ModelOptions options = parsed();
    if (!options.device().isCpu()) {
      Card.of(options.device());
    }
    return options;
  }

  private ModelOptions parsed() {
    return ModelOptions.defaults()
        .withDtype(DType.ofOption(dtype))
        .withDecoderDtype(DType.ofOption(decoderDtype))
        .withDevice(Device.of(device))
        .withThreads(threads)
        .withResidency(Choice.of(Residency.class, "residency", residency))
        .withTiles(Choice.of(Tiles.class, "tiles", tiles));
  }
}
