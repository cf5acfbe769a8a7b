package dev.gossamer.video.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class T5EncoderTest {
  /** Goldens umt5_encoder and t5_encoder, float32; the reference differs from itself by 5e-6. */
  private static final double TOLERANCE = 2e-5;

  private static final String UMT5 = "/goldens/wan_pipeline/checkpoint/text_encoder";
  private static final String T5 = "/goldens/cogvideox_pipeline/checkpoint/text_encoder";

  @TempDir Path folder;

  private static T5Encoder open(String checkpoint, DType dtype) {
    return T5Encoder.open(Golden.path(checkpoint), dtype, Device.CPU);
  }

  @ParameterizedTest
  @CsvSource({"umt5_encoder," + UMT5, "t5_encoder," + T5})
  void agreesWithTheGoldens(String name, String checkpoint) {
    Golden golden = Golden.open("/goldens/" + name + "/io.safetensors");
    try (Scope scope = Scope.open();
        T5Encoder encoder = open(checkpoint, DType.FLOAT32)) {
      Tensor ids = golden.tensor("input_ids");
      Tensor mask = golden.tensor("attention_mask");
      Tensor seen = mask.unsqueeze(2).to(DType.FLOAT32);
      assertThat(
              Golden.maxDifference(
                  encoder.encode(ids, mask).mul(seen),
                  golden.tensor("last_hidden_state").mul(seen)))
          .isLessThan(TOLERANCE);
      assertThat(
              Golden.maxDifference(encoder.encode(ids), golden.tensor("last_hidden_state_no_mask")))
          .isLessThan(TOLERANCE);
      assertThat(
              Golden.maxDifference(
                  encoder.encode(golden.tensor("long_ids")),
                  golden.tensor("long_last_hidden_state")))
          .isLessThan(TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"umt5_encoder", "t5_encoder"})
  void sortsDistancesIntoTheGoldensBuckets(String name) {
    try (Scope scope = Scope.open()) {
      Golden golden = Golden.open("/goldens/" + name + "/io.safetensors");
      long[] distances = golden.tensor("rel_positions").toLongs();
      long[] buckets = golden.tensor("rel_buckets").toLongs();
      for (int i = 0; i < distances.length; i++) {
        assertThat(RelativePositions.bucket((int) distances[i], 32, 128))
            .as("distance %d", distances[i])
            .isEqualTo((int) buckets[i]);
      }
    }
  }

  /** The small model's reference run; its weights are stored as float16. */
  @ParameterizedTest
  @CsvSource({"0.ids,0.prompt_embeds", "1.ids,1.prompt_embeds", "negative_ids,negative_embeds"})
  void agreesWithTheSmallModelsGolden(String ids, String embeds) {
    Golden golden = Golden.open("/goldens/mini/io.safetensors");
    try (Scope scope = Scope.open();
        T5Encoder encoder =
            T5Encoder.open(MiniModel.folder().resolve("text_encoder"), DType.FLOAT32, Device.CPU)) {
      Tensor rows = encoder.encode(golden.tensor(ids).unsqueeze(0)).squeeze(0);
      assertThat(Golden.maxDifference(rows, golden.tensor(embeds))).isLessThan(TOLERANCE);
    }
  }

  @ParameterizedTest
  @CsvSource({"umt5_encoder," + UMT5, "t5_encoder," + T5})
  void staysCloseInBfloat16(String name, String checkpoint) {
    Golden golden = Golden.open("/goldens/" + name + "/io.safetensors");
    try (Scope scope = Scope.open();
        T5Encoder encoder = open(checkpoint, DType.BFLOAT16)) {
      Tensor rows = encoder.encode(golden.tensor("input_ids"));
      assertThat(rows.dtype()).isEqualTo(DType.BFLOAT16);
      assertThat(Golden.relativeError(rows, golden.tensor("last_hidden_state_no_mask")))
          .isLessThan(0.03);
    }
  }

  @Test
  void anUnpaddedPromptGivesThePaddedOnesRows() {
    Golden golden = Golden.open("/goldens/umt5_encoder/io.safetensors");
    try (Scope scope = Scope.open();
        T5Encoder encoder = open(UMT5, DType.FLOAT32)) {
      for (int row = 0; row < 3; row++) {
        Tensor ids = golden.tensor("input_ids").narrow(0, row, 1);
        long length = golden.tensor("attention_mask").select(0, row).sum().toLongs()[0];
        assertThat(
                Golden.maxDifference(
                    encoder.encode(ids.narrow(1, 0, length)),
                    golden.tensor("last_hidden_state").narrow(0, row, 1).narrow(1, 0, length)))
            .isLessThan(TOLERANCE);
      }
    }
  }

  @Test
  void aFullyMaskedRowHoldsNoNaN() {
    try (Scope scope = Scope.open();
        T5Encoder encoder = open(UMT5, DType.FLOAT32)) {
      Tensor ids = Tensor.of(new long[] {5, 1}, 1, 2);
      Tensor rows = encoder.encode(ids, Tensor.zeros(DType.INT64, 1, 2));
      assertThat(rows.isFinite().all().isTrue()).isTrue();
    }
  }

  @Test
  void leavesNoTensorBehind() {
    long before = Tensor.live();
    for (int i = 0; i < 3; i++) {
      try (Scope scope = Scope.open();
          T5Encoder encoder = open(UMT5, DType.BFLOAT16)) {
        long loaded = Tensor.live();
        for (int j = 0; j < 3; j++) {
          try (Scope inner = Scope.open()) {
            Tensor ids = Tensor.of(new long[] {7, 8, 1, 0}, 1, 4);
            Tensor mask = Tensor.of(new long[] {1, 1, 1, 0}, 1, 4);
            encoder.encode(ids, mask);
            encoder.encode(ids);
            assertThat(Tensor.live()).isEqualTo(loaded + 4);
          }
        }
        assertThat(Tensor.live()).isEqualTo(loaded);
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void refusesFloat16() {
    assertThatThrownBy(() -> open(UMT5, DType.FLOAT16))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("fp16")
        .hasMessageContaining("bf16 or fp32");
  }

  @Test
  void refusesIdsOutsideOfTheVocabulary() {
    try (Scope scope = Scope.open();
        T5Encoder encoder = open(UMT5, DType.FLOAT32)) {
      assertThatThrownBy(() -> encoder.encode(Tensor.of(new long[] {1, 400}, 1, 2)))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("token 400")
          .hasMessageContaining("0 to 399");
    }
  }

  /** Files of other library generations: the table under another name, decoder and head beside. */
  @Test
  void readsTheNamesOfOtherGenerations() throws IOException {
    Golden golden = Golden.open("/goldens/umt5_encoder/io.safetensors");
    Files.copy(Golden.path(UMT5).resolve("config.json"), folder.resolve("config.json"));
    try (Scope scope = Scope.open()) {
      TensorFiles files = TensorFiles.in(Golden.path(UMT5));
      Map<String, Tensor> renamed = new LinkedHashMap<>();
      files.entries().keySet().forEach(name -> renamed.put(name, files.tensor(name)));
      renamed.put("encoder.embed_tokens.weight", renamed.get("shared.weight"));
      renamed.put("shared.weight", Tensor.zeros(DType.FLOAT32, 400, 32));
      renamed.put("decoder.block.0.layer.0.layer_norm.weight", Tensor.zeros(DType.FLOAT32, 32));
      renamed.put("lm_head.weight", Tensor.zeros(DType.FLOAT32, 400, 32));
      SafetensorsWriter.write(folder.resolve("model.safetensors"), renamed, Map.of());
      try (T5Encoder encoder = T5Encoder.open(folder, DType.FLOAT32, Device.CPU)) {
        Tensor rows = encoder.encode(golden.tensor("input_ids"));
        assertThat(Golden.maxDifference(rows, golden.tensor("last_hidden_state_no_mask")))
            .isLessThan(TOLERANCE);
      }
    }
  }

  @Test
  void refusesWeightsOfAnotherModelAndFreesThem() throws IOException {
    Files.copy(Golden.path(T5).resolve("model.safetensors"), folder.resolve("model.safetensors"));
    Files.copy(Golden.path(UMT5).resolve("config.json"), folder.resolve("config.json"));
    long before = Tensor.live();
    assertThatThrownBy(() -> T5Encoder.open(folder, DType.FLOAT32, Device.CPU))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(
            "missing 'encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight'");
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"model_type\":\"llama\"}",
        "{\"model_type\":\"t5\",\"feed_forward_proj\":\"relu\"}",
        "{\"model_type\":\"t5\",\"dense_act_fn\":\"silu\"}",
        "{\"model_type\":\"t5\",\"num_layers\":0}",
        "{\"model_type\":\"t5\",\"relative_attention_num_buckets\":3}"
      })
  void refusesConfigsOfOtherModels(String json) throws IOException {
    Path file = Files.writeString(folder.resolve("config.json"), json);
    assertThatThrownBy(() -> T5Config.read(ModelConfig.read(file)))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("config.json");
  }

  @Test
  void assumesTheReleasedSizes() throws IOException {
    Path file = Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"umt5\"}");
    assertThat(T5Config.read(ModelConfig.read(file)))
        .isEqualTo(
            new T5Config(
                T5Config.Positions.PER_BLOCK, 256384, 4096, 64, 64, 10240, 24, 32, 128, 1e-6));
  }
}
