package dev.gossamer.video;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * How a model is loaded and where it runs.
 *
 * @param dtype type of the transformer's and text encoder's weights and products
 * @param decoderDtype type of the autoencoder's; float32 as in the reference, unless memory is
 *     short
 * @param device where it runs
 * @param threads processor threads that compute
 * @param residency how long weights stay in memory
 * @param tiles whether frames are decoded in tiles
 * @param loras changes to the weights of transformer and text encoders, made in their order when
 *     they are loaded
 * @param offload what of a part is in memory while it works
 * @param promptCache folder where encoded prompts are kept from run to run; empty to keep none
 */
public record ModelOptions(
    DType dtype,
    DType decoderDtype,
    Device device,
    int threads,
    Residency residency,
    Tiles tiles,
    List<LoraFile> loras,
    Offload offload,
    Optional<Path> promptCache) {
  private static final int MAX_THREADS = 1024;

  /**
   * @throws UsageException if a type is not one to compute in, or the threads are none or too many
   */
  public ModelOptions {
    loras = List.copyOf(loras);
    checkCompute("dtype", dtype, device);
    checkCompute("decoder dtype", decoderDtype, device);
    if (threads < 1 || threads > MAX_THREADS) {
      throw new UsageException(
          "Cannot compute on " + threads + " threads", "Use 1 to " + MAX_THREADS);
    }
  }

  private static void checkCompute(String what, DType dtype, Device device) {
    if (dtype != DType.FLOAT32 && dtype != DType.BFLOAT16 && dtype != DType.FLOAT16) {
      throw new UsageException(
          "Cannot compute with " + what + " " + dtype.optionName(), "Use fp32, bf16 or fp16");
    }
    if (dtype == DType.FLOAT16 && device.isCpu()) {
      throw new UsageException(
          "Cannot compute with " + what + " fp16 on a processor", "Use bf16 or fp32");
    }
  }

  /** float32 on the processor, with all its threads. */
  public static ModelOptions defaults() {
    return new ModelOptions(
        DType.FLOAT32,
        DType.FLOAT32,
        Device.CPU,
        Threads.available(),
        Residency.AUTO,
        Tiles.OFF,
        List.of(),
        Offload.NONE,
        Optional.empty());
  }

  /** Type of the transformer and the text encoder. */
  public ModelOptions withDtype(DType type) {
    return new ModelOptions(
        type, decoderDtype, device, threads, residency, tiles, loras, offload, promptCache);
  }

  public ModelOptions withDecoderDtype(DType type) {
    return new ModelOptions(
        dtype, type, device, threads, residency, tiles, loras, offload, promptCache);
  }

  public ModelOptions withDevice(Device where) {
    return new ModelOptions(
        dtype, decoderDtype, where, threads, residency, tiles, loras, offload, promptCache);
  }

  public ModelOptions withThreads(int count) {
    return new ModelOptions(
        dtype, decoderDtype, device, count, residency, tiles, loras, offload, promptCache);
  }

  public ModelOptions withResidency(Residency policy) {
    return new ModelOptions(
        dtype, decoderDtype, device, threads, policy, tiles, loras, offload, promptCache);
  }

  public ModelOptions withTiles(Tiles choice) {
    return new ModelOptions(
        dtype, decoderDtype, device, threads, residency, choice, loras, offload, promptCache);
  }

  /** With these changes to weights, in place of others. */
  public ModelOptions withLoras(List<LoraFile> changes) {
    return new ModelOptions(
        dtype, decoderDtype, device, threads, residency, tiles, changes, offload, promptCache);
  }

  public ModelOptions withOffload(Offload choice) {
    return new ModelOptions(
        dtype, decoderDtype, device, threads, residency, tiles, loras, choice, promptCache);
  }

  /** Keeping encoded prompts in a folder, which is made when it is needed. */
  public ModelOptions withPromptCache(Path folder) {
    return new ModelOptions(
        dtype,
        decoderDtype,
        device,
        threads,
        residency,
        tiles,
        loras,
        offload,
        Optional.of(folder));
  }
}
