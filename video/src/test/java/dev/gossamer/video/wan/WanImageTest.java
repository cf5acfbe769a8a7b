package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.AttentionPlan;
import dev.gossamer.attention.AttentionSession;
import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.text.ClipVisionConfig;
import dev.gossamer.video.text.ClipVisionEncoder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Golden wan_i2v: the transformer that sees an image, and the encoder of that. */
class WanImageTest {
  private static final double TOLERANCE = 2e-5;
  private static final Golden GOLDEN = Golden.open("/goldens/wan_i2v/io.safetensors");
  @TempDir static Path folder;
  private static final Path ENCODER = Golden.path("/goldens/wan_i2v/image_encoder");

  @BeforeAll
  static void make() throws IOException {
    ImageGolden.transformer(folder.resolve("transformer"));
  }

  private static Tensor predict(DType dtype, int keptRows) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        WanTransformer model =
            WanTransformer.load(TensorFiles.in(folder.resolve("transformer")), dtype, Device.CPU)) {
      Tensor latents = GOLDEN.tensor("hidden_states");
      AttentionPlan plan =
          new AttentionPlan(2, 1, 1, model.grid(3, 4, 6), 0, Set.of(), AttentionPlan.FEW_ROWS);
      Tensor prompt = GOLDEN.tensor("prompt").to(dtype).pad(0, 0, 0, 0, 512 - 9);
      try (AttentionSession session = new DenseAttention().open(plan, threads);
          TextContext text =
              model.prepare(prompt, keptRows, Optional.of(GOLDEN.tensor("image_rows").to(dtype)))) {
        return scope.keep(model.predict(latents.to(dtype), 437, text, session, 0, 0));
      }
    }
  }

  @Test
  void theTransformersOutputIsThatOfTheReference() {
    try (Scope scope = Scope.open()) {
      assertThat(Golden.maxDifference(predict(DType.FLOAT32, 9), GOLDEN.tensor("output")))
          .isLessThan(TOLERANCE);
      assertThat(Golden.maxDifference(predict(DType.FLOAT32, 512), GOLDEN.tensor("output")))
          .isLessThan(TOLERANCE);
      assertThat(Golden.relativeError(predict(DType.BFLOAT16, 9), GOLDEN.tensor("output")))
          .isLessThan(0.02);
    }
  }

  @Test
  void theEncodersRowsAreThoseOfTheReference() {
    ClipVisionConfig config =
        ClipVisionConfig.read(ModelConfig.read(ENCODER.resolve("config.json")));
    try (Scope scope = Scope.open();
        ClipVisionEncoder encoder =
            ClipVisionEncoder.open(config, TensorFiles.in(ENCODER), DType.FLOAT32, Device.CPU)) {
      assertThat(
              Golden.maxDifference(
                  encoder.encode(GOLDEN.tensor("pixels")), GOLDEN.tensor("image_rows")))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void anImageIsWantedByTheTransformerThatSeesOne() {
    try (Scope scope = Scope.open();
        WanTransformer model =
            WanTransformer.load(
                TensorFiles.in(folder.resolve("transformer")), DType.FLOAT32, Device.CPU)) {
      Tensor prompt = GOLDEN.tensor("prompt");
      assertThatThrownBy(() -> model.prepare(prompt, 9))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
