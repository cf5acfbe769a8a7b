package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.PromptEncoding;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.autoencoder.CodecOptions;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Resampling;
import dev.gossamer.video.text.ClipVisionConfig;
import dev.gossamer.video.text.ClipVisionEncoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * What Wan's image-to-video makes of a picture: CLIP's rows, which the cross-attentions see, and
 * the condition, which stands beside the latents in every step. Diffusers' {@code
 * WanImageToVideoPipeline}.
 *
 * @param configs what reads the picture
 * @param options type and place of the weights
 */
record WanImage(WanFamily.Configs configs, ModelOptions options) {
  private static final int COLOURS = 3;

  /** CLIP's own, where the checkpoint has no image processor. */
  private static final double[] MEAN = {0.48145466, 0.4578275, 0.40821073};

  private static final double[] DEVIATION = {0.26862954, 0.26130258, 0.27577711};

  /**
   * Of the image encoder.
   *
   * @param mean of each colour, from 0 to 1
   * @param deviation of each colour
   */
  record Configs(ClipVisionConfig encoder, List<Double> mean, List<Double> deviation) {
    int width() {
      return encoder.width();
    }
  }

  /** Reads the image encoder's configuration and, if it is there, the image processor's. */
  static Configs configs(Checkpoint checkpoint) {
    ClipVisionConfig encoder =
        ClipVisionConfig.read(checkpoint.config(WanFamily.IMAGE_ENCODER, "config.json"));
    double[] mean = MEAN;
    double[] deviation = DEVIATION;
    if (checkpoint.has(WanFamily.IMAGE_PROCESSOR)) {
      Path file =
          checkpoint.component(WanFamily.IMAGE_PROCESSOR).resolve("preprocessor_config.json");
      if (Files.isRegularFile(file)) {
        ModelConfig processor = ModelConfig.read(file);
        mean = processor.reals("image_mean", MEAN);
        deviation = processor.reals("image_std", DEVIATION);
        processor.require(mean.length == COLOURS, "image_mean", "One for each colour is expected");
        processor.require(
            deviation.length == COLOURS && Arrays.stream(deviation).allMatch(d -> d > 0),
            "image_std",
            "One above 0 for each colour is expected");
      }
    }
    return new Configs(encoder, list(mean), list(deviation));
  }

  private static List<Double> list(double[] values) {
    return Arrays.stream(values).boxed().toList();
  }

  /**
   * Encodes a picture; encoder and autoencoder are loaded one after the other and freed.
   *
   * @param picture at the request's size
   * @return {@code rows [1, rows, imageWidth]} and {@code condition [1, frames of a latent +
   *     channels, latent frames, height, width]} float32, both on the device
   */
  PromptEncoding encode(Frame picture, VideoRequest request, Threads threads) {
    try (Scope scope = Scope.open()) {
      return new PromptEncoding(
          Map.of("rows", rows(picture), "condition", condition(picture, request, threads)), 0);
    }
  }

  private Tensor rows(Frame picture) {
    Configs image = configs.image().orElseThrow();
    try (Scope scope = Scope.open();
        ClipVisionEncoder encoder =
            ClipVisionEncoder.open(
                image.encoder(),
                configs.files(WanFamily.IMAGE_ENCODER),
                options.dtype(),
                options.device())) {
      return scope.keep(encoder.encode(pixels(picture, image)));
    }
  }

  /**
   * A picture as CLIP wants it: the shorter side brought to its size, the middle cut out, each
   * colour normalised.
   *
   * @return {@code [1, 3, pixels, pixels]} float32
   */
  static Tensor pixels(Frame picture, Configs image) {
    int side = image.encoder().pixels();
    int shorter = Math.min(picture.width(), picture.height());
    int width = (int) ((long) side * picture.width() / shorter);
    int height = (int) ((long) side * picture.height() / shorter);
    Frame resized = Resampling.BICUBIC.resize(picture, width, height);
    int left = (width - side) / 2;
    int top = (height - side) / 2;
    try (Scope scope = Scope.open()) {
      Tensor cut = unit(resized).narrow(2, top, side).narrow(3, left, side); // [1, 3, side, side]
      return scope.keep(
          cut.sub(perColour(image.mean())).div(perColour(image.deviation())).contiguous());
    }
  }

  private static Tensor perColour(List<Double> values) {
    double[] array = values.stream().mapToDouble(Double::doubleValue).toArray();
    return Tensor.of(array, 1, COLOURS, 1, 1).to(DType.FLOAT32);
  }

  /** A picture's colours from 0 to 1, {@code [1, 3, height, width]} float32. */
  private static Tensor unit(Frame picture) {
    byte[] rgb = picture.rgb();
    int area = picture.width() * picture.height();
    float[] planes = new float[COLOURS * area];
    for (int i = 0; i < area; i++) {
      for (int colour = 0; colour < COLOURS; colour++) {
        planes[colour * area + i] = (rgb[COLOURS * i + colour] & 0xff) / 255f;
      }
    }
    return Tensor.of(planes, 1, COLOURS, picture.height(), picture.width());
  }

  /**
   * The mask of what is given, as many channels as a latent has frames, and the latents of a video
   * that is the picture and then grey.
   */
  private Tensor condition(Frame picture, VideoRequest request, Threads threads) {
    try (Scope scope = Scope.open();
        WanAutoencoder autoencoder =
            WanAutoencoder.load(
                configs.files(WanFamily.VAE),
                configs.autoencoder(),
                options.decoderDtype(),
                options.device(),
                WanAutoencoder.Parts.ENCODER_AND_DECODER,
                threads)) {
      Tensor first = unit(picture).mul(2).sub(1).unsqueeze(2); // [1, 3, 1, height, width]
      Tensor video = first.pad(0, 0, 0, 0, 0, 0, request.frames() - 1);
      Tensor moments = autoencoder.encode(video, CodecOptions.PLAIN);
      Tensor latents =
          autoencoder.normalise(WanAutoencoder.mode(moments).to(DType.FLOAT32).contiguous());
      int ratio = configs.autoencoder().temporalRatio();
      Tensor given =
          Tensor.full(1, DType.FLOAT32, 1, ratio, 1, latents.size(3), latents.size(4))
              .to(latents.device());
      Tensor mask = given.pad(0, 0, 0, 0, 0, 0, latents.size(2) - 1);
      return scope.keep(Tensor.cat(1, mask, latents));
    }
  }
}
