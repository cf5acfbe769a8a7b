package dev.gossamer.video.cogvideox;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.attention.adacluster.AdaCluster;
import dev.gossamer.attention.adacluster.AdaClusterSettings;
import dev.gossamer.attention.adacluster.SelectionRule;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.nn.SinusoidalPositions;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Goldens cogvideox_transformer (tolerances of its meta.json), embeddings and param_shapes. */
class CogVideoXTransformerTest {
  private static final double FP32 = 3e-5;
  private static final double BF16_RELATIVE = 0.02;
  private static final String SINCOS = "/goldens/cogvideox_pipeline/checkpoint/transformer";
  private static final String ROPE = "/goldens/cogvideox_pipeline/transformer_rope";
  private static final String V15 = "/goldens/cogvideox_transformer/v15/checkpoint";

  private static CogVideoXTransformer model(String checkpoint, DType dtype) {
    return CogVideoXTransformer.load(TensorFiles.in(Golden.path(checkpoint)), dtype, Device.CPU);
  }

  /** All samples of a golden case, one after the other. */
  private static Tensor predict(
      CogVideoXTransformer model, Golden golden, String prefix, AttentionMethod method) {
    Tensor latents = golden.tensor(prefix + "hidden_states");
    Tensor prompts = golden.tensor(prefix + "encoder_hidden_states");
    long[] timesteps = golden.tensor(prefix + "timestep").toLongs();
    List<Tensor> outputs = new ArrayList<>();
    TokenGrid grid = model.grid(latents.size(1), latents.size(3), latents.size(4));
    for (int i = 0; i < timesteps.length; i++) {
      AttentionPlan plan = new AttentionPlan(model.config().layers(), 1, 1, grid, 0, Set.of(), 0);
      try (Threads threads = new Threads(1);
          AttentionSession session = method.open(plan, threads)) {
        Tensor text = model.prepare(prompts.narrow(0, i, 1));
        outputs.add(model.predict(latents.narrow(0, i, 1), timesteps[i], text, session, 0, 0));
      }
    }
    return Tensor.cat(0, outputs);
  }

  private static Golden golden(String name) {
    return Golden.open("/goldens/cogvideox_transformer/" + name + "/io.safetensors");
  }

  @ParameterizedTest
  @CsvSource({
    "sincos,case0.," + SINCOS,
    "sincos,case1.," + SINCOS,
    "rope,case0.," + ROPE,
    "rope,case1.," + ROPE,
    "v15,case0.," + V15
  })
  void predictsAsTheGolden(String name, String prefix, String checkpoint) {
    Golden golden = golden(name);
    try (Scope scope = Scope.open();
        CogVideoXTransformer model = model(checkpoint, DType.FLOAT32)) {
      Tensor found = predict(model, golden, prefix, new DenseAttention());
      Tensor expected = golden.tensor(prefix + "output");
      assertThat(found.shape()).containsExactly(expected.shape());
      assertThat(Golden.maxDifference(found, expected)).isLessThan(FP32);
    }
  }

  @ParameterizedTest
  @CsvSource({"sincos," + SINCOS, "rope," + ROPE, "v15," + V15})
  void staysCloseInBfloat16(String name, String checkpoint) {
    Golden golden = golden(name);
    try (Scope scope = Scope.open();
        CogVideoXTransformer model = model(checkpoint, DType.BFLOAT16)) {
      Tensor found = predict(model, golden, "case0.", new DenseAttention());
      assertThat(found.dtype()).isEqualTo(DType.BFLOAT16);
      assertThat(Golden.relativeError(found, golden.tensor("case0.output")))
          .isBetween(1e-6, BF16_RELATIVE);
    }
  }

  /** Clusters that are all selected leave nothing out, text included. */
  @Test
  void allClustersSelectedAreDenseAttention() {
    Golden golden = golden("rope");
    AdaClusterSettings all =
        AdaClusterSettings.presets()
            .get("cluster")
            .with("minTokens", "0")
            .with("denseSteps", "0")
            .withDenseLayers(List.of())
            .withRule(new SelectionRule.TopShare(1));
    try (Scope scope = Scope.open();
        CogVideoXTransformer model = model(ROPE, DType.FLOAT32)) {
      Tensor found = predict(model, golden, "case0.", new AdaCluster(all));
      assertThat(Golden.maxDifference(found, golden.tensor("case0.output"))).isLessThan(FP32);
    }
  }

  @Test
  void positionsAreThoseOfTheReferenceAtRealSizes() {
    Golden golden = Golden.open("/goldens/embeddings/io.safetensors");
    CogVideoXTransformerConfig fiveB = released("rope");
    try (Scope scope = Scope.open()) {
      assertRotation(
          golden, "cog64_480x720x13", "cog64_index", fiveB.rotation(Device.CPU, 13, 30, 45));
      assertRotation(
          golden, "cog64_320x720x5", "cog64_crop_index", fiveB.rotation(Device.CPU, 5, 20, 45));
      int[] crop = fiveB.crop(20, 45);
      assertThat(new long[] {crop[0], crop[1], crop[0] + crop[2], crop[1] + crop[3]})
          .containsExactly(golden.tensor("cog64_320x720_crop").toLongs());
      Tensor sines = new SinusoidalPositions(32, 1.875, 1).table(Device.CPU, 2, 3, 5);
      Tensor expected = golden("sincos").tensor("case1.pos_embedding").select(0, 0);
      assertThat(expected.narrow(0, 0, 16).abs().amax().item()).isZero();
      assertThat(Golden.maxDifference(sines, expected.narrow(0, 16, 30))).isLessThan(2e-6);
    }
  }

  private static void assertRotation(Golden golden, String name, String index, Tensor table) {
    Tensor rows = table.indexSelect(0, golden.tensor(index));
    Tensor cos = golden.tensor(name + "_cos");
    Tensor sin = golden.tensor(name + "_sin");
    assertThat(Golden.maxDifference(rows.every(1, 0, 2), cos.every(1, 0, 2))).isLessThan(2e-6);
    assertThat(Golden.maxDifference(rows.every(1, 1, 2), sin.every(1, 1, 2))).isLessThan(2e-6);
  }

  private static CogVideoXTransformerConfig released(String kind) {
    boolean small = kind.equals("sincos");
    boolean volume = kind.equals("v15");
    return new CogVideoXTransformerConfig(
        small ? 30 : 48,
        64,
        small ? 30 : 42,
        16,
        4096,
        226,
        512,
        2,
        volume ? CogVideoXTransformerConfig.Token.VOLUME : CogVideoXTransformerConfig.Token.PICTURE,
        volume ? 2 : 1,
        small
            ? CogVideoXTransformerConfig.Positions.SINUSOIDAL
            : CogVideoXTransformerConfig.Positions.ROTARY,
        volume ? 81 : 49,
        volume ? 300 : 60,
        volume ? 300 : 90,
        1.875,
        1,
        1e-5);
  }

  @ParameterizedTest
  @CsvSource({
    "sincos,cogvideox_2b_transformer",
    "rope,cogvideox_5b_transformer",
    "v15,cogvideox1.5_5b_transformer"
  })
  void asksForTheTensorsOfTheReleasedModels(String kind, String name) throws IOException {
    ObjectMapper json = new ObjectMapper();
    Map<String, List<Long>> shapes;
    try (InputStream file =
        Files.newInputStream(Golden.path("/goldens/param_shapes/" + name + ".json.gz"))) {
      shapes = json.readValue(new GZIPInputStream(file), new TypeReference<>() {});
    }
    shapes.remove("patch_embed.pos_embedding");
    long numbers =
        json.readTree(Golden.path("/goldens/param_shapes/summary.json").toFile())
            .path(name)
            .path("parameters")
            .asLong();
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      CogVideoXTransformer.of(released(kind), parameters).close();
      assertThat(parameters.asked()).containsExactlyInAnyOrderEntriesOf(shapes);
      assertThat(parameters.count()).isEqualTo(numbers);
    }
  }
}
