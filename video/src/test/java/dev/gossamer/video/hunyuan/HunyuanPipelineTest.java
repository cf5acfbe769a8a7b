package dev.gossamer.video.hunyuan;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.Denoiser;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.PromptEncoding;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.schedulers.Stepper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden {@code hunyuan_pipeline}: a complete tiny checkpoint, with a template of its own. */
class HunyuanPipelineTest {
  /** The reference differs from itself by 8e-5 between versions; models.md names this bound. */
  private static final double TOLERANCE = 6e-4;

  private static final Golden GOLDEN = Golden.open("/goldens/hunyuan_pipeline/io.safetensors");
  private static final JsonNode CALL = call();
  private static final Threads THREADS = new Threads(1);
  private static final VideoModel MODEL =
      new HunyuanFamily(
              new PromptTemplate(
                  CALL.at("/prompt_template/template").asText(),
                  CALL.at("/prompt_template/crop_start").asInt(),
                  CALL.path("max_sequence_length").asInt()))
          .open(
              Checkpoint.open(Golden.path("/goldens/hunyuan_pipeline/checkpoint")),
              ModelOptions.defaults(),
              THREADS);

  private static JsonNode call() {
    Path file = Golden.path("/goldens/hunyuan_pipeline/call.json");
    try {
      return new ObjectMapper().readTree(file.toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @AfterAll
  static void close() {
    MODEL.close();
    THREADS.close();
  }

  private static VideoRequest request(AttentionMethod attention) {
    return MODEL
        .defaults()
        .request(CALL.path("prompt").asText(), attention)
        .withFrames(CALL.path("num_frames").asInt())
        .withSize(CALL.path("width").asInt(), CALL.path("height").asInt())
        .withSteps(CALL.path("num_inference_steps").asInt())
        .withGuidance(CALL.path("guidance_scale").asDouble());
  }

  @Test
  void promptIsEncodedAsInTheReference() {
    VideoRequest request = request(new DenseAttention());
    try (Scope scope = Scope.open();
        PromptEncoding prompt = MODEL.encode(request.prompt())) {
      Tensor rows = prompt.tensor("rows");
      Tensor mask = GOLDEN.tensor("first_call.encoder_attention_mask");
      assertThat(rows.size(1)).isEqualTo((long) mask.sum().item());
      assertThat(MODEL.tokens(request).textAfter()).isEqualTo((int) rows.size(1));
      assertThat(
              Golden.maxDifference(
                  rows,
                  GOLDEN.tensor("first_call.encoder_hidden_states").narrow(1, 0, rows.size(1))))
          .isLessThan(3e-5);
      assertThat(
              Golden.maxDifference(
                  prompt.tensor("pooled"), GOLDEN.tensor("first_call.pooled_projections")))
          .isLessThan(3e-5);
    }
  }

  @Test
  void timestepsAreThoseOfTheReference() {
    try (Scope scope = Scope.open()) {
      assertThat(MODEL.schedule(3).timesteps())
          .containsExactly(GOLDEN.tensor("timesteps").toDoubles());
    }
  }

  private static AttentionMethod everything(String method) {
    if (method.equals("dense")) {
      return new DenseAttention();
    }
    AttentionOptions options = AttentionOptions.defaults().withSetting("minTokens", "1");
    options = options.withSetting("denseSteps", "0").withSetting("products", "float32");
    return AttentionCatalog.create(
        method, method.equals("adacluster") ? options.withSetting("rule", "topK(1000)") : options);
  }

  /** Texts of different length in the two passes, each with a grid of its own. */
  @ParameterizedTest
  @ValueSource(strings = {"dense", "adacluster"})
  void trueGuidanceIsThatOfTheReference(String method) {
    VideoRequest request = request(everything(method)).withNegative("blurry").withTrueGuidance(2);
    List<TokenGrid> grids = MODEL.grids(request);
    assertThat(grids).doesNotHaveDuplicates().hasSize(2);
    AttentionPlan plan =
        new AttentionPlan(
            MODEL.attentionLayers(), grids, request.steps(), request.seed(), Set.of(), 0);
    Schedule schedule = MODEL.schedule(request.steps());
    try (Scope scope = Scope.open();
        PromptEncoding prompt = MODEL.encode(request.prompt());
        PromptEncoding negative = MODEL.encode(request.negative());
        AttentionSession session = request.attention().open(plan, THREADS);
        Denoiser denoiser = MODEL.denoiser(request, List.of(prompt, negative), session);
        Stepper stepper = schedule.stepper()) {
      Tensor latents = GOLDEN.tensor("latents_init");
      for (int step = 0; step < request.steps(); step++) {
        double timestep = schedule.timesteps()[step];
        Tensor wanted = denoiser.predict(latents, timestep, step, 0);
        Tensor unwanted = denoiser.predict(latents, timestep, step, 1);
        double weight = denoiser.guidance(step, timestep);
        Tensor velocity = unwanted.add(wanted.sub(unwanted).mul(weight));
        latents = stepper.step(step, velocity, latents);
        assertThat(
                Golden.maxDifference(
                    latents, GOLDEN.tensor("true_cfg.latents_steps").select(0, step)))
            .as("latents after step %d", step)
            .isLessThan(TOLERANCE);
      }
    }
  }

  /** Dense, AdaCluster with every cluster selected, and AdaCluster as it is: short, so dense. */
  @ParameterizedTest
  @ValueSource(strings = {"dense", "adacluster", "short"})
  void latentsOfEveryStepAndFramesAreThoseOfTheReference(String method) {
    AttentionMethod attention =
        method.equals("short")
            ? AttentionCatalog.create("adacluster", AttentionOptions.defaults())
            : everything(method);
    VideoRequest request = request(attention);
    AttentionPlan plan =
        new AttentionPlan(
            MODEL.attentionLayers(),
            MODEL.branches(request),
            request.steps(),
            MODEL.tokens(request),
            request.seed(),
            Set.of(),
            0);
    Schedule schedule = MODEL.schedule(request.steps());
    try (Scope scope = Scope.open();
        PromptEncoding prompt = MODEL.encode(request.prompt());
        AttentionSession session = attention.open(plan, THREADS);
        Denoiser denoiser = MODEL.denoiser(request, List.of(prompt), session);
        Stepper stepper = schedule.stepper()) {
      Tensor latents = GOLDEN.tensor("latents_init");
      assertThat(latents.shape()).isEqualTo(MODEL.latentShape(request));
      for (int step = 0; step < request.steps(); step++) {
        Tensor velocity = denoiser.predict(latents, schedule.timesteps()[step], step, 0);
        latents = stepper.step(step, velocity, latents);
        assertThat(Golden.maxDifference(latents, GOLDEN.tensor("latents_steps").select(0, step)))
            .as("latents after step %d", step)
            .isLessThan(TOLERANCE);
      }
      List<Tensor> frames = new ArrayList<>();
      MODEL.decode(latents, chunk -> frames.add(scope.adopt(chunk.copy())));
      Tensor video = Tensor.cat(0, frames);
      assertThat(video.size(0)).isEqualTo(request.frames());
      Tensor reference = GOLDEN.tensor("frames").select(0, 0).permute(0, 3, 1, 2);
      assertThat(
              Golden.maxDifference(video.indexSelect(0, GOLDEN.tensor("frame_numbers")), reference))
          .isLessThan(TOLERANCE);
    }
  }
}
