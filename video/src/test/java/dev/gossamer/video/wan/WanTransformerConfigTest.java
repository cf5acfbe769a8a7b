package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WanTransformerConfigTest {
  @TempDir Path folder;

  private WanTransformerConfig read(String fields) throws IOException {
    Path file = folder.resolve("config.json");
    Files.writeString(file, "{\"_class_name\": \"WanTransformer3DModel\"" + fields + "}");
    return WanTransformerConfig.of(ModelConfig.read(file));
  }

  @Test
  void takesTheValuesOfDiffusersWhereKeysAreMissing() throws IOException {
    WanTransformerConfig config = read("");
    assertThat(config)
        .isEqualTo(
            new WanTransformerConfig(1, 2, 2, 40, 128, 16, 4096, 256, 13824, 40, 1e-6, 1024));
    assertThat(config.width()).isEqualTo(5120);
    assertThat(config.patchSize()).isEqualTo(64);
    assertThat(config.rotaryEmbedding().parts()).isEqualTo(List.of(44, 42, 42));
  }

  @Test
  void readsTheGoldenCheckpoint() {
    Path file = Golden.path("/goldens/wan_pipeline/checkpoint/transformer/config.json");
    assertThat(WanTransformerConfig.of(ModelConfig.read(file)))
        .isEqualTo(new WanTransformerConfig(1, 2, 2, 3, 16, 4, 32, 32, 96, 2, 1e-6, 64));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "image_dim | 0 | size",
        "added_kv_proj_dim | 5120 | image_dim",
        "pos_embed_seq_len | 514 | first and last",
        "in_channels | 48 | Wan 2.2",
        "_class_name | \"WanVACETransformer3DModel\" | text-to-video",
        "qk_norm | \"layer_norm\" | text-to-video",
        "cross_attn_norm | false | text-to-video",
        "patch_size | [1, 2] | Three",
        "patch_size | [1, 0, 2] | Three",
        "num_layers | 0 | size",
        "num_layers | 2000000000 | size",
        "num_attention_heads | -1 | size",
        "attention_head_dim | 63 | even",
        "freq_dim | 255 | even",
        "eps | 0 | between",
        "ffn_dim | \"wide\" | whole number",
      })
  void refusesOtherModelsInOneLine(String key, String value, String reason) {
    String json = ", \"" + key + "\": " + value;
    assertThatThrownBy(() -> read(json))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("'" + key + "' is " + value.replace(", ", ","))
        .hasMessageContaining(reason)
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesLatentsConcatenatedWithAnImage() {
    assertThatThrownBy(() -> read(", \"in_channels\": 36, \"out_channels\": 16"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("'in_channels' is 36");
  }
}
