package dev.gossamer.video;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.tensor.Machine;
import dev.gossamer.video.media.Psnr;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a video was made: the provenance that is written beside it as JSON, and from which {@link
 * Replay} makes it again.
 *
 * @param format name and version of this form
 * @param prompt what was asked for
 * @param negative what was not wanted
 * @param seed of everything random
 * @param settings everything else that decides the video
 * @param versions of the programs that did the work
 * @param machine where they ran
 * @param tokens video tokens in each self-attention
 * @param cost floating-point operations, were all attention dense
 * @param memory what was planned
 * @param seconds per stage: load, text, transformer, decode, write, total
 * @param stepSeconds of each denoising step; the first holds what is done once
 * @param peakMemoryBytes largest resident size of the process so far, mapped weights included; 0
 *     where the system does not say
 * @param peakCardMemoryBytes bytes of the card that the process took so far; 0 on a processor
 * @param attention what the self-attentions did
 * @param compare this video against the dense one, if asked for
 * @param weights the weight files
 * @param noiseSha256 over the starting noise's float32 bytes
 * @param latentsSha256 over the final latents' float32 bytes
 * @param framesSha256 over the frames as 8-bit {@code [frames, height, width, 3]}
 * @param outputs the files that were written
 */
@JsonPropertyOrder({"format", "prompt", "negative", "seed"})
public record RunReport(
    String format,
    String prompt,
    String negative,
    long seed,
    Settings settings,
    Map<String, String> versions,
    Machine machine,
    long tokens,
    CostPlan cost,
    Memory memory,
    Map<String, Double> seconds,
    List<Double> stepSeconds,
    long peakMemoryBytes,
    long peakCardMemoryBytes,
    AttentionSummary attention,
    Optional<Comparison> compare,
    List<FileFingerprint> weights,
    String noiseSha256,
    String latentsSha256,
    String framesSha256,
    List<FileFingerprint> outputs) {
  static final String FORMAT = "gossamer report 1";

  /**
   * What decides a video beside prompt and seed.
   *
   * @param model folder or file of the checkpoint, empty if all its parts were named
   * @param parts files and folders that were named for single parts, by component
   * @param loras changes to the transformer's weights, in the order in which they were made
   * @param modelName what the checkpoint is
   * @param image file of the picture that the video begins with, empty without one
   * @param noise file of the starting noise, empty if it came from the seed
   * @param sampling the model's own settings, as the scheduler's
   */
  public record Settings(
      String model,
      Map<String, String> parts,
      List<Lora> loras,
      String modelName,
      int frames,
      int width,
      int height,
      int steps,
      double guidance,
      double trueGuidance,
      int framesPerSecond,
      Attention attention,
      String dtype,
      String decoderDtype,
      String device,
      int threads,
      String residency,
      String tiles,
      String offload,
      String image,
      String noise,
      Map<String, Object> sampling) {}

  /** A file of changes to the transformer's weights, and how strongly they were made. */
  public record Lora(String file, double scale) {
    static Lora of(LoraFile lora) {
      return new Lora(lora.file().toString(), lora.scale());
    }
  }

  /** Method of attention, with every setting. */
  public record Attention(String method, Map<String, Object> settings) {
    static Attention of(AttentionMethod method) {
      return new Attention(method.name(), method.settings());
    }
  }

  /**
   * The memory plan in short.
   *
   * @param neededBytes at the worst moment
   * @param freeBytes before the run; -1 if unknown
   */
  public record Memory(long neededBytes, long freeBytes) {
    static Memory of(MemoryPlan plan) {
      return new Memory(plan.needed(), plan.free().orElse(-1));
    }
  }

  /**
   * This video against the one that dense attention makes of the same noise, on decoded frames
   * before compression, in float64.
   *
   * @param psnr mean over frames, dB; {@link Psnr#CAP} if they are the same
   * @param ssim mean over frames
   * @param attentionSpeedup seconds in dense attention over seconds in this one; NaN if a run was
   *     resumed, as its seconds are of several sittings
   * @param totalSpeedup seconds of the whole with dense attention over seconds of the whole with
   *     this one; stages that both share count alike; NaN likewise
   * @param denseAttentionSeconds seconds in dense attention
   * @param denseTransformerSeconds seconds of denoising with dense attention
   * @param denseStepSeconds of each of its denoising steps
   * @param psnrPerFrame one per frame
   * @param ssimPerFrame one per frame
   */
  public record Comparison(
      double psnr,
      double ssim,
      double attentionSpeedup,
      double totalSpeedup,
      double denseAttentionSeconds,
      double denseTransformerSeconds,
      List<Double> denseStepSeconds,
      List<Double> psnrPerFrame,
      List<Double> ssimPerFrame) {
    /** Whether every pixel of every frame is the same: below that, SSIM is less than 1. */
    public boolean identical() {
      return psnr >= Psnr.CAP && ssim == 1;
    }
  }

  /** The report as JSON, indented; numbers that are not finite become null. */
  public String json() {
    return ReportJson.write(this);
  }
}
