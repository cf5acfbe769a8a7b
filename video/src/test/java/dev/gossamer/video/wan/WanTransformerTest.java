package dev.gossamer.video.wan;

import static dev.gossamer.tensor.Golden.maxDifference;
import static dev.gossamer.tensor.Golden.relativeError;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Golden wan_transformer; tolerances of its meta.json. */
class WanTransformerTest {
  private static final double FP32 = 2e-5;
  private static final double BF16_RELATIVE = 0.02;
  private static final String CHECKPOINT = "/goldens/wan_pipeline/checkpoint/transformer";

  private final Golden golden = Golden.open("/goldens/wan_transformer/io.safetensors");

  private static WanTransformer model(DType dtype) {
    return WanTransformer.load(TensorFiles.in(Golden.path(CHECKPOINT)), dtype, Device.CPU);
  }

  private static AttentionSession dense(WanTransformer model, Tensor latents, Threads threads) {
    TokenGrid grid = model.grid(latents.size(2), latents.size(3), latents.size(4));
    return new DenseAttention()
        .open(new AttentionPlan(model.config().layers(), 1, 1, grid, 0, Set.of(), 0), threads);
  }

  /** All samples of a golden case, one after the other, with all rows of the prompt. */
  private Tensor predict(WanTransformer model, String prefix) {
    Tensor latents = golden.tensor(prefix + "hidden_states");
    Tensor prompts = golden.tensor(prefix + "encoder_hidden_states");
    long[] timesteps = golden.tensor(prefix + "timestep").toLongs();
    List<Tensor> outputs = new java.util.ArrayList<>();
    for (int i = 0; i < timesteps.length; i++) {
      Tensor sample = latents.narrow(0, i, 1);
      Tensor prompt = prompts.narrow(0, i, 1);
      outputs.add(predict(model, sample, timesteps[i], prompt, (int) prompt.size(1)));
    }
    return Tensor.cat(0, outputs);
  }

  private static Tensor predict(
      WanTransformer model, Tensor latents, double timestep, Tensor prompt, int validRows) {
    try (Threads threads = new Threads(1);
        AttentionSession session = dense(model, latents, threads);
        TextContext text = model.prepare(prompt, validRows)) {
      return model.predict(latents, timestep, text, session, 0, 0);
    }
  }

  @Test
  void predictsWhatTheReferencePredicts() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.FLOAT32)) {
      Tensor output = predict(model, "");
      assertThat(output.dtype()).isEqualTo(DType.FLOAT32);
      assertThat(maxDifference(output, golden.tensor("out.output"))).isLessThan(FP32);
      assertThat(maxDifference(predict(model, "case2."), golden.tensor("case2.output")))
          .isLessThan(FP32);
    }
  }

  @Test
  void predictsTheSameFromShards() {
    try (Scope scope = Scope.open();
        WanTransformer whole = model(DType.FLOAT32);
        WanTransformer sharded =
            WanTransformer.load(
                TensorFiles.in(Golden.path("/goldens/wan_transformer/checkpoint_sharded")),
                DType.FLOAT32,
                Device.CPU)) {
      assertThat(maxDifference(predict(sharded, ""), predict(whole, ""))).isZero();
    }
  }

  @Test
  void staysCloseToTheReferenceInBfloat16() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.BFLOAT16)) {
      Tensor output = predict(model, "");
      assertThat(output.dtype()).isEqualTo(DType.BFLOAT16);
      assertThat(relativeError(output, golden.tensor("out.output"))).isLessThan(BF16_RELATIVE);
    }
  }

  @Test
  void keepsInFloat32WhatTheReferenceKeeps() throws IOException {
    Set<String> kept = new TreeSet<>();
    TensorFiles.in(Golden.path(CHECKPOINT)).entries().keySet().stream()
        .filter(WanTransformer::keepsFloat32)
        .forEach(kept::add);
    Set<String> expected = new TreeSet<>();
    Path meta = Golden.path("/goldens/wan_transformer/meta.json");
    new com.fasterxml.jackson.databind.ObjectMapper()
        .readTree(meta.toFile())
        .path("kept_fp32_when_loaded_as_bf16")
        .forEach(name -> expected.add(name.asText()));
    assertThat(kept).isNotEmpty().isEqualTo(expected);
  }

  @Test
  void mergedPaddingRowsEqualAllOfThem() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.FLOAT32);
        Generator random = Generator.seeded(7)) {
      Tensor latents = golden.tensor("hidden_states").narrow(0, 0, 1);
      int width = model.config().textDim();
      for (int validRows : new int[] {0, 1, 5, 30}) {
        Tensor prompt = Tensor.zeros(DType.FLOAT32, 1, 512, width);
        if (validRows > 0) {
          prompt.narrow(1, 0, validRows).copyFrom(random.normal(1, validRows, width));
        }
        Tensor merged = predict(model, latents, 500, prompt, validRows);
        Tensor all = predict(model, latents, 500, prompt, 512);
        assertThat(maxDifference(merged, all)).as(validRows + " rows").isLessThan(1e-5);
      }
    }
  }

  @Test
  void refusesPaddingThatIsNotZero() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.FLOAT32)) {
      Tensor prompt = Tensor.full(1, DType.FLOAT32, 1, 512, model.config().textDim());
      assertThatThrownBy(() -> model.prepare(prompt, 3))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("zero");
    }
  }

  @Test
  void denseThroughTheSeamEqualsAPlainSoftmax() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.FLOAT32)) {
      Tensor latents = golden.tensor("hidden_states").narrow(0, 1, 1);
      Tensor prompt = golden.tensor("encoder_hidden_states").narrow(0, 1, 1);
      try (TextContext text = model.prepare(prompt, 20)) {
        Tensor plain = model.predict(latents, 250, text, new PlainSession(), 0, 0);
        Tensor dense = predict(model, latents, 250, prompt, 20);
        assertThat(maxDifference(dense, plain)).isLessThan(FP32);
        assertThat(maxDifference(dense, golden.tensor("out.output").narrow(0, 1, 1)))
            .isLessThan(FP32);
      }
    }
  }

  /** softmax(q k^T / sqrt(d)) v in float64, term by term. */
  private static final class PlainSession implements AttentionSession {
    @Override
    public dev.gossamer.attention.Attention attention(int layer, int branch) {
      return (query, key, value, step) -> {
        Tensor scores =
            query
                .to(DType.FLOAT64)
                .matmul(key.to(DType.FLOAT64).transpose(-1, -2))
                .div(Math.sqrt(query.size(-1)));
        Tensor weights = scores.exp();
        return weights.matmul(value.to(DType.FLOAT64)).div(weights.sum(true, -1)).to(query.dtype());
      };
    }

    @Override
    public AttentionReport report() {
      return new AttentionReport(List.of(), List.of());
    }

    @Override
    public void close() {}
  }

  @Test
  void predictsABatchLikeItsSamples() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.FLOAT32)) {
      Tensor latents = golden.tensor("hidden_states");
      Tensor prompt = golden.tensor("encoder_hidden_states").narrow(0, 0, 1);
      for (int rows : new int[] {5, 20}) {
        Tensor cut = prompt.narrow(1, 0, rows);
        Tensor batch = predict(model, latents, 999, cut, rows);
        for (int i = 0; i < 2; i++) {
          Tensor alone = predict(model, latents.narrow(0, i, 1), 999, cut, rows);
          assertThat(maxDifference(batch.narrow(0, i, 1), alone)).isLessThan(1e-5);
        }
      }
    }
  }

  @Test
  void returnsAllMemoryButItsResult() {
    long before = Tensor.live();
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1)) {
      try (WanTransformer model = model(DType.BFLOAT16)) {
        Tensor latents = golden.tensor("case2.hidden_states");
        Tensor prompt = golden.tensor("case2.encoder_hidden_states");
        try (AttentionSession session = dense(model, latents, threads);
            TextContext text = model.prepare(prompt, 7)) {
          model.predict(latents, 0, text, session, 0, 0).close();
          long steady = Tensor.live();
          for (int step = 0; step < 5; step++) {
            model.predict(latents, step, text, session, 0, step).close();
          }
          assertThat(Tensor.live()).isEqualTo(steady);
        }
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void refusesLatentsThatDoNotDivideIntoPatches() {
    try (Scope scope = Scope.open();
        WanTransformer model = model(DType.FLOAT32)) {
      assertThat(model.grid(3, 8, 12)).isEqualTo(TokenGrid.video(3, 4, 6));
      assertThatThrownBy(() -> model.grid(3, 7, 12))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("7 latent rows");
      assertThatThrownBy(() -> model.grid(65, 8, 12))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("65 latent frames");
    }
  }

  @Test
  void ignoresAddedNormsAndRefusesOtherLeftovers(@TempDir Path folder) throws IOException {
    writeWith(folder, "blocks.0.attn2.norm_added_q.weight");
    WanTransformer.load(TensorFiles.in(folder), DType.FLOAT32, Device.CPU).close();

    long before = Tensor.live();
    writeWith(folder, "blocks.0.attn2.add_k_proj.weight");
    assertThatThrownBy(() -> WanTransformer.load(TensorFiles.in(folder), DType.FLOAT32, Device.CPU))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("unexpected 'blocks.0.attn2.add_k_proj.weight'");
    assertThat(Tensor.live()).isEqualTo(before);
  }

  /** The golden's checkpoint with one more tensor. */
  private static void writeWith(Path folder, String extra) throws IOException {
    Path source = Golden.path(CHECKPOINT);
    Files.writeString(
        folder.resolve("config.json"), Files.readString(source.resolve("config.json")));
    try (Scope scope = Scope.open()) {
      SafetensorsFile file =
          SafetensorsFile.open(source.resolve("diffusion_pytorch_model.safetensors"));
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      file.entries().keySet().forEach(name -> tensors.put(name, file.tensor(name)));
      tensors.put(extra, Tensor.zeros(DType.FLOAT32, 48));
      SafetensorsWriter.write(
          folder.resolve("diffusion_pytorch_model.safetensors"), tensors, Map.of());
    }
  }
}
