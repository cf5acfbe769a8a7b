package dev.gossamer.cli;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.LoraFile;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.Offload;
import dev.gossamer.video.Residency;
import dev.gossamer.video.Tiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which model, and where and how it computes. */
final class ModelArguments {
  private static final String OFF = "off";

  @Option(
      names = "--model",
      paramLabel = "PATH",
      description =
          "Wan 2.1, CogVideoX or HunyuanVideo text-to-video checkpoint in diffusers layout, a"
              + " folder of single safetensors files, or one such file (default: the mini model).")
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
          "Decode in fp32, as the reference does, bf16 or fp16: two to three times as fast where"
              + " the processor multiplies bf16, half the memory, slightly other pixels (default:"
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

  @Option(
      names = "--offload",
      paramLabel = "WHAT",
      description =
          "blocks: of transformer and text encoders only the block that runs is in memory, slower"
              + " and far smaller; none (default: ${DEFAULT-VALUE}).")
  private String offload = ModelOptions.defaults().offload().name().toLowerCase(Locale.ROOT);

  @Option(
      names = "--prompt-cache",
      paramLabel = "WHERE",
      description =
          "Keep encoded prompts for later runs, which then need no text encoder: a folder, on (in"
              + " the user's cache folder) or off (default: ${DEFAULT-VALUE}).")
  private String promptCache = OFF;

  @Option(
      names = "--lora",
      paramLabel = "FILE[:SCALE]",
      description =
          "Change the weights of transformer and text encoders by a LoRA when they are loaded; may"
              + " be given several times (scale: 1).")
  private List<String> loras = new ArrayList<>();

  /** What was named, if anything. */
  Optional<Path> model() {
    return Optional.ofNullable(model);
  }

  /** The checkpoint's folder; unpacks the mini model if it is the one. */
  Path folder() {
    return model == null ? MiniModel.folder() : model;
  }

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if a value is not one of the known
   * @throws dev.gossamer.tensor.failure.EnvironmentException if there is no such card
   */
  ModelOptions options() {
    ModelOptions options = loaded();
    if (!options.device().isCpu()) {
      Card.of(options.device());
    }
    return promptCache.equals(OFF) ? options : options.withPromptCache(promptFolder());
  }

  /** The folder of kept prompts; {@code XDG_CACHE_HOME} is obeyed. */
  private Path promptFolder() {
    if (promptCache.isEmpty()) {
      throw new UsageException("--prompt-cache is empty", "Name a folder, or say on or off");
    }
    if (!promptCache.equals("on")) {
      return Path.of(promptCache);
    }
    String caches = System.getenv("XDG_CACHE_HOME");
    Path home =
        caches == null || caches.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(caches);
    return home.resolve("gossamer").resolve("prompts");
  }

  private ModelOptions loaded() {
    return ModelOptions.defaults()
        .withDtype(DType.ofOption(dtype))
        .withDecoderDtype(DType.ofOption(decoderDtype))
        .withDevice(Device.of(device))
        .withThreads(threads)
        .withResidency(Choice.of(Residency.class, "residency", residency))
        .withTiles(Choice.of(Tiles.class, "tiles", tiles))
        .withOffload(Choice.of(Offload.class, "offload", offload))
        .withLoras(loras.stream().map(LoraFile::parse).toList());
  }
}
