package dev.gossamer.video;

import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.schedulers.Schedule;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An opened checkpoint of some {@link VideoFamily}: all that {@link TextToVideo} needs to know of
 * it. Parts load their weights when they are first used, or by {@link #load}. One video at a time.
 */
public interface VideoModel extends AutoCloseable {
  /** What it is, in a few words, for example {@code Wan 2.1 text-to-video, 30 layers}. */
  String name();

  VideoDefaults defaults();

  VideoGeometry geometry();

  /** Self-attentions of the transformer. */
  int attentionLayers();

  /** What decides a video beside the request, by name, for the report: the scheduler's settings. */
  Map<String, Object> settings();

  /** All weight files, for the report. */
  List<Path> weightFiles();

  /** What this family knows about AdaCluster on it. */
  default AttentionAdvice attentionAdvice() {
    return AttentionAdvice.NONE;
  }

  CostPlan cost(VideoRequest request);

  /**
   * Bytes of a part's weights as they are loaded.
   *
   * @param options the model's own, or others to find out what they would change
   */
  long weightBytes(VideoPart part, ModelOptions options);

  /**
   * Bytes that a part needs beside its weights while it works on this request with this attention.
   *
   * @param options the model's own, or others to find out what they would change
   */
  long workBytes(VideoPart part, VideoRequest request, ModelOptions options);

  /** What holds a part's weights while they are wanted. */
  LoadedOnDemand<?> part(VideoPart part);

  default boolean isLoaded(VideoPart part) {
    return part(part).isLoaded();
  }

  /**
   * Loads a part's weights; does nothing if they are there.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if they do not fit the configuration
   */
  default void load(VideoPart part) {
    part(part).get();
  }

  /** Frees a part's weights; does nothing if they are not there. */
  default void release(VideoPart part) {
    part(part).close();
  }

  /** Order of the latents' axes: that of the family's reference. */
  default LatentLayout latentLayout() {
    return LatentLayout.CHANNELS_FIRST;
  }

  /**
   * The latents of the video's own frames, {@code [1, channels, frames, height, width]}: a view in
   * the current scope.
   */
  default Tensor videoLatents(Tensor latents) {
    return latentLayout().exchange(latents);
  }

  /**
   * Shape of the latents: {@code [1, channels, frames, height, width]} or as {@link #latentLayout}
   * says. Where the model needs more frames than the video has, they come first.
   */
  long[] latentShape(VideoRequest request);

  /**
   * Draws the starting noise as the reference does.
   *
   * @return {@link #latentShape} float32, on the processor, in the current scope
   */
  default Tensor noise(Generator generator, VideoRequest request) {
    return generator.normal(latentShape(request));
  }

  /** Roles of the tokens in the self-attentions. */
  TokenGrid tokens(VideoRequest request);

  /** {@link #tokens} of each prediction of a step; texts of different length make them differ. */
  default List<TokenGrid> grids(VideoRequest request) {
    return Collections.nCopies(branches(request), tokens(request));
  }

  /**
   * Predictions per step: 2 where guidance needs a pass of its own for the negative prompt.
   *
   * @throws UsageException if the model does not know a kind of guidance that is asked for
   */
  default int branches(VideoRequest request) {
    if (request.trueGuidance() > 1) {
      throw new UsageException(
          name() + " has no true guidance: its guidance is that already",
          "Use --guidance, and leave --true-guidance out");
    }
    return request.guided() ? 2 : 1;
  }

  /**
   * What tells its text encoders and tokenizers from all others, so that encoded prompts may be
   * kept from run to run; empty where they may not.
   */
  default Optional<String> textIdentity() {
    return Optional.empty();
  }

  /** Runs the text encoders on a prompt. */
  PromptEncoding encode(String prompt);

  /** Whether a video begins with a picture: then each request has one, else none. */
  default boolean takesImage() {
    return false;
  }

  /**
   * Brings a request's picture into the form that every step uses. What it needs for that is loaded
   * and freed within.
   *
   * @param image at the request's size
   */
  default PromptEncoding encodeImage(Frame image, VideoRequest request) {
    throw new UnsupportedOperationException(name() + " takes no image");
  }

  /**
   * Bytes that {@link #encodeImage} needs at its worst moment; 0 for a model that takes no image.
   *
   * @param options the model's own, or others to find out what they would change
   */
  default long imageBytes(VideoRequest request, ModelOptions options) {
    return 0;
  }

  /**
   * Sets the transformer up for one video that may begin with a picture.
   *
   * @param image from {@link #encodeImage}
   */
  default Denoiser denoiser(
      VideoRequest request,
      List<PromptEncoding> prompts,
      Optional<PromptEncoding> image,
      AttentionSession session) {
    return denoiser(request, prompts, session);
  }

  /**
   * Sets the transformer up for one video.
   *
   * @param prompts prompt, and negative if there are two branches
   * @param session attentions for {@link #attentionLayers} layers; the denoiser does not close it
   * @return to be closed after the video
   */
  Denoiser denoiser(VideoRequest request, List<PromptEncoding> prompts, AttentionSession session);

  /**
   * The noise levels of a video.
   *
   * @throws dev.gossamer.tensor.failure.UsageException if it cannot be made in so many steps
   */
  Schedule schedule(int steps);

  /**
   * Decodes latents frame by frame; memory does not grow with their number.
   *
   * @param latents {@link #latentShape}, float32, as the scheduler left them
   * @param sink takes each run of frames; may throw to stop
   */
  void decode(Tensor latents, FrameSink sink);

  @Override
  void close();
}
