package dev.gossamer.video.hunyuan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.Attention;
import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden {@code hunyuan_transformer}: two texts of different lengths, padded to one. */
class HunyuanTransformerTest {
  /** float32; the sinusoid of a guidance of 6000 magnifies the last bit of its frequencies. */
  private static final double TOLERANCE = 5e-4;

  private static final Golden GOLDEN = Golden.open("/goldens/hunyuan_transformer/io.safetensors");
  private static final Path FOLDER =
      Golden.path("/goldens/hunyuan_pipeline/checkpoint/transformer");
  private static final HunyuanTransformer MODEL = load(DType.FLOAT32);
  private static final Threads THREADS = new Threads(1);

  @TempDir Path folder;

  private static HunyuanTransformer load(DType dtype) {
    return HunyuanTransformer.load(TensorFiles.in(FOLDER), dtype, Device.CPU);
  }

  @AfterAll
  static void close() {
    MODEL.close();
    THREADS.close();
  }

  private static int tokens(int sample) {
    return (int) GOLDEN.tensor("encoder_attention_mask").select(0, sample).sum().item();
  }

  private static HunyuanPrompt prompt(int sample) {
    return new HunyuanPrompt(
        GOLDEN.tensor("encoder_hidden_states").narrow(0, sample, 1),
        tokens(sample),
        GOLDEN.tensor("pooled_projections").narrow(0, sample, 1));
  }

  private static Tensor predict(
      HunyuanTransformer model, int sample, HunyuanPrompt prompt, AttentionSession session) {
    return model.predict(
        GOLDEN.tensor("hidden_states").narrow(0, sample, 1),
        GOLDEN.tensor("timestep").select(0, sample).item(),
        GOLDEN.tensor("guidance").select(0, sample).item() / 1000,
        prompt,
        session,
        0,
        0);
  }

  private static AttentionSession session(AttentionMethod method, int textTokens) {
    return method.open(
        new AttentionPlan(
            MODEL.config().layers(),
            1,
            4,
            HunyuanTransformer.grid(MODEL.config(), 3, 8, 12, textTokens),
            0,
            Set.of(),
            0),
        THREADS);
  }

  private static Tensor dense(HunyuanTransformer model, int sample, HunyuanPrompt prompt) {
    try (AttentionSession session = session(new DenseAttention(), prompt.tokens())) {
      return predict(model, sample, prompt, session);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void agreesWithTheGolden(int sample) {
    try (Scope scope = Scope.open()) {
      assertThat(
              Golden.maxDifference(
                  dense(MODEL, sample, prompt(sample)),
                  GOLDEN.tensor("output").narrow(0, sample, 1)))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void theGoldenHasPadding() {
    try (Scope scope = Scope.open()) {
      int rows = (int) GOLDEN.tensor("encoder_hidden_states").size(1);
      assertThat(Math.min(tokens(0), tokens(1))).isLessThan(rows);
    }
  }

  @Test
  void lowPrecisionStaysNearTheGolden() {
    try (Scope scope = Scope.open();
        HunyuanTransformer model = load(DType.BFLOAT16)) {
      Tensor output = dense(model, 0, prompt(0));
      assertThat(output.dtype()).isEqualTo(DType.BFLOAT16);
      // The golden was made with the guidance unrounded: compare with float32 at the rounded one.
      double rounded =
          Conditioning.scaled(GOLDEN.tensor("guidance").select(0, 0).item() / 1000, DType.BFLOAT16);
      Tensor exact;
      try (AttentionSession session = session(new DenseAttention(), tokens(0))) {
        exact =
            MODEL.predict(
                GOLDEN.tensor("hidden_states").narrow(0, 0, 1),
                GOLDEN.tensor("timestep").select(0, 0).item(),
                rounded / 1000,
                prompt(0),
                session,
                0,
                0);
      }
      assertThat(Golden.relativeError(output, exact)).isBetween(1e-6, 0.02);
    }
  }

  @Test
  void guidanceIsRoundedAsInTheReference() {
    try (Scope scope = Scope.open()) {
      assertThat(Conditioning.scaled(6, DType.FLOAT32)).isEqualTo(6000);
      assertThat(Conditioning.scaled(6, DType.BFLOAT16)).isEqualTo(6016);
    }
  }

  /** Whatever stands in the padding, and however long it is, is never looked at. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 40})
  void paddingChangesNothing(int padding) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(3)) {
      HunyuanPrompt whole = prompt(0);
      Tensor trimmed = whole.text();
      Tensor rubbish = generator.normal(new long[] {1, padding, trimmed.size(2)}).mul(100);
      HunyuanPrompt padded =
          new HunyuanPrompt(
              padding == 0 ? trimmed : Tensor.cat(1, trimmed, rubbish),
              whole.tokens(),
              whole.pooled());
      assertThat(dense(MODEL, 0, padded).toFloats()).isEqualTo(dense(MODEL, 0, whole).toFloats());
    }
  }

  /** Lets a method work and looks at each of its results. */
  private static final class Watched implements AttentionSession {
    private final AttentionSession method;
    private final int textTokens;
    private double textError;
    private double videoError;

    Watched(AttentionSession method, int textTokens) {
      this.method = method;
      this.textTokens = textTokens;
    }

    @Override
    public Attention attention(int layer, int branch) {
      Attention watched = method.attention(layer, branch);
      return (query, key, value, step) -> {
        Tensor output = watched.attend(query, key, value, step);
        Tensor exact = DenseAttention.attend(query, key, value);
        long videos = query.size(2) - textTokens;
        UnaryOperator<Tensor> text = x -> x.narrow(2, videos, textTokens);
        UnaryOperator<Tensor> video = x -> x.narrow(2, 0, videos);
        textError =
            Math.max(textError, Golden.maxDifference(text.apply(output), text.apply(exact)));
        videoError =
            Math.max(videoError, Golden.maxDifference(video.apply(output), video.apply(exact)));
        return output;
      };
    }

    @Override
    public AttentionReport report() {
      return method.report();
    }

    @Override
    public void close() {
      method.close();
    }
  }

  /** Text queries see everything, whichever video clusters the video's queries choose. */
  @ParameterizedTest
  @CsvSource({"budget(.05),off", "budget(.3),off", "topK(1),off", "budget(.1),centroid"})
  void textIsExactForAnySelectionOfVideoClusters(String rule, String tail) {
    AttentionOptions options =
        AttentionOptions.defaults()
            .withSetting("minTokens", "1")
            .withSetting("denseSteps", "0")
            .withSetting("kq", "4")
            .withSetting("kk", "12")
            .withSetting("tail", tail)
            .withSetting("rule", rule)
            .withSetting("products", "float32");
    try (Scope scope = Scope.open();
        Watched watched =
            new Watched(
                session(AttentionCatalog.create("adacluster", options), tokens(0)), tokens(0))) {
      predict(MODEL, 0, prompt(0), watched);
      assertThat(watched.report().density()).isLessThan(1);
      assertThat(watched.videoError).isGreaterThan(1e-3);
      assertThat(watched.textError).isLessThan(1e-5);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'\"image_condition_type\": null','\"image_condition_type\": \"latent_concat\"',image-to-video",
    "'\"guidance_embeds\": true','\"guidance_embeds\": false',guidance",
    "'\"out_channels\": 4','\"out_channels\": 8',out_channels",
    "'\"attention_head_dim\": 16','\"attention_head_dim\": 24',rope_axes_dim",
    "'HunyuanVideoTransformer3DModel','FluxTransformer2DModel',text-to-video"
  })
  void refusesOtherModels(String before, String after, String named) throws IOException {
    String config = Files.readString(FOLDER.resolve("config.json"));
    assertThat(config).contains(before);
    Path file = folder.resolve("config.json");
    Files.writeString(file, config.replace(before, after));
    assertThatThrownBy(() -> HunyuanTransformerConfig.of(ModelConfig.read(file)))
        .isInstanceOf(BadInputException.class)
        .hasStackTraceContaining(named);
  }
}
