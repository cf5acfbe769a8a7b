package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.SparseWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Golden wan_original_names: released sizes under Wan's own names, read as diffusers' names. */
class WanNamesTest {
  @TempDir Path folder;

  private LooseFiles.Part part(Map<String, List<Long>> shapes, String prefix) throws IOException {
    Path file = SparseWeights.write(folder.resolve("part.safetensors"), prefix, shapes);
    List<LooseFiles.Part> parts =
        new WanLooseFiles().recognise(TensorFiles.of(file), Optional.empty());
    assertThat(parts).hasSize(1);
    return parts.get(0);
  }

  private static Map<String, List<Long>> original(String name) throws IOException {
    return SparseWeights.shapes("/goldens/wan_original_names/" + name + ".json.gz");
  }

  private static Map<String, List<Long>> shapes(TensorFiles files) {
    Map<String, List<Long>> shapes = new TreeMap<>();
    files.entries().forEach((name, entry) -> shapes.put(name, entry.shape()));
    return shapes;
  }

  @Test
  void readsTheTransformerOf1300Million() throws IOException {
    LooseFiles.Part part = part(original("wan2.1_t2v_1.3b"), "");
    assertThat(part.component()).isEqualTo("transformer");
    assertThat(WanTransformerConfig.of(part.config()))
        .isEqualTo(new WanTransformerConfig(1, 2, 2, 12, 128, 16, 4096, 256, 8960, 30, 1e-6, 1024));
    assertThat(shapes(part.files()))
        .isEqualTo(
            SparseWeights.shapes("/goldens/param_shapes/wan2.1_t2v_1.3b_transformer.json.gz"));
  }

  @Test
  void readsThemBehindAPrefix() throws IOException {
    LooseFiles.Part part = part(original("wan2.1_t2v_1.3b"), "model.diffusion_model.");
    assertThat(shapes(part.files()))
        .isEqualTo(
            SparseWeights.shapes("/goldens/param_shapes/wan2.1_t2v_1.3b_transformer.json.gz"));
  }

  @Test
  void readsDiffusersNamesToo() throws IOException {
    Map<String, List<Long>> own =
        SparseWeights.shapes("/goldens/param_shapes/wan2.1_t2v_14b_transformer.json.gz");
    LooseFiles.Part part = part(own, "diffusion_model.");
    assertThat(WanTransformerConfig.of(part.config()).heads()).isEqualTo(40);
    assertThat(shapes(part.files())).isEqualTo(own);
  }

  @Test
  void readsTheAutoencoder() throws IOException {
    LooseFiles.Part part = part(original("wan2.1_vae"), "");
    assertThat(part.component()).isEqualTo("vae");
    WanAutoencoderConfig config = WanAutoencoderConfig.of(part.config());
    assertThat(config.multipliers()).containsExactly(1, 2, 4, 4);
    assertThat(config.temporalDownsample()).containsExactly(false, true, true);
    assertThat(config.blocks()).isEqualTo(2);
    assertThat(shapes(part.files()))
        .isEqualTo(SparseWeights.shapes("/goldens/param_shapes/wan2.1_vae.json"));
  }

  @Test
  void readsTheTextEncoder() throws IOException {
    LooseFiles.Part part = part(original("umt5_xxl"), "");
    assertThat(part.component()).isEqualTo("text_encoder");
    assertThat(part.config().className()).isEqualTo("UMT5EncoderModel");
    Map<String, List<Long>> shapes = shapes(part.files());
    assertThat(shapes).hasSize(242).containsEntry("shared.weight", List.of(256384L, 4096L));
    assertThat(shapes)
        .containsEntry(
            "encoder.block.23.layer.0.SelfAttention.relative_attention_bias.weight",
            List.of(32L, 64L))
        .containsEntry("encoder.block.0.layer.1.DenseReluDense.wo.weight", List.of(4096L, 10240L))
        .containsEntry("encoder.final_layer_norm.weight", List.of(4096L));
  }

  @Test
  void saysWhatIsMissingForTheSizes() throws IOException {
    Map<String, List<Long>> shapes = new TreeMap<>(original("wan2.1_t2v_1.3b"));
    shapes.remove("head.head.weight");
    assertThatThrownBy(() -> part(shapes, ""))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("part.safetensors")
        .hasMessageContaining("head.head.weight");
  }

  @Test
  void takesTheHeadsFromTheRepositorysConfiguration() throws IOException {
    Path config = folder.resolve("config.json");
    Files.writeString(config, "{\"_class_name\": \"WanModel\", \"num_heads\": 24}");
    Path file =
        SparseWeights.write(folder.resolve("part.safetensors"), "", original("wan2.1_t2v_1.3b"));
    List<LooseFiles.Part> parts =
        new WanLooseFiles()
            .recognise(
                TensorFiles.of(file),
                Optional.of(dev.gossamer.tensor.weights.ModelConfig.read(config)));
    assertThat(WanTransformerConfig.of(parts.get(0).config()).headDim()).isEqualTo(64);
  }
}
