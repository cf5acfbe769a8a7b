package dev.gossamer.video.hunyuan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.OriginalNames;
import dev.gossamer.video.SparseWeights;
import dev.gossamer.video.text.ClipTextConfig;
import dev.gossamer.video.text.LlamaConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of the released sizes, without a configuration. */
class HunyuanNamesTest {
  @TempDir Path folder;

  private List<LooseFiles.Part> parts(Map<String, List<Long>> shapes, String prefix)
      throws IOException {
    Path file = SparseWeights.write(folder.resolve("part.safetensors"), prefix, shapes);
    return new HunyuanLooseFiles().recognise(TensorFiles.of(file), Optional.empty());
  }

  private LooseFiles.Part part(Map<String, List<Long>> shapes, String prefix) throws IOException {
    List<LooseFiles.Part> parts = parts(shapes, prefix);
    assertThat(parts).hasSize(1);
    return parts.get(0);
  }

  private static Map<String, List<Long>> released(String name) throws IOException {
    return SparseWeights.shapes("/goldens/param_shapes/" + name);
  }

  private static Map<String, List<Long>> shapes(TensorFiles files) {
    Map<String, List<Long>> shapes = new TreeMap<>();
    files.entries().forEach((name, entry) -> shapes.put(name, entry.shape()));
    return shapes;
  }

  @Test
  void readsTheTransformerUnderItsMakersNames() throws IOException {
    Map<String, List<Long>> own = released("hunyuanvideo_transformer.json.gz");
    Map<String, List<Long>> original = OriginalNames.hunyuan(own.keySet()).shapes(own);
    assertThat(original)
        .containsEntry("double_blocks.19.img_attn_qkv.weight", List.of(9216L, 3072L))
        .containsEntry("single_blocks.39.linear1.bias", List.of(21_504L));
    LooseFiles.Part part = part(original, "model.model.");
    assertThat(part.component()).isEqualTo("transformer");
    assertThat(part.pipeline()).contains("HunyuanVideoPipeline");
    assertThat(HunyuanTransformerConfig.of(part.config()))
        .isEqualTo(
            new HunyuanTransformerConfig(
                16, 24, 128, 20, 40, 2, 12_288, 2, 1, 4096, 768, 256, List.of(16, 56, 56)));
    assertThat(shapes(part.files())).isEqualTo(own);
  }

  @Test
  void readsTheAutoencoder() throws IOException {
    Map<String, List<Long>> own = released("hunyuanvideo_vae.json.gz");
    LooseFiles.Part part = part(own, "");
    assertThat(part.component()).isEqualTo("vae");
    assertThat(HunyuanAutoencoderConfig.of(part.config()))
        .isEqualTo(
            new HunyuanAutoencoderConfig(
                16, List.of(128, 256, 512, 512), 2, 32, 8, 4, 0.476986, true));
  }

  /** Where the products of the attention in the middle are convolutions. */
  @Test
  void readsTheAutoencoderUnderLatentDiffusionsNames() throws IOException {
    Map<String, List<Long>> own = released("hunyuanvideo_vae.json.gz");
    Map<String, List<Long>> original = OriginalNames.autoencoder(own.keySet()).shapes(own);
    original.replaceAll(
        (name, shape) ->
            name.matches(".*attn_1\\.(q|k|v|proj_out)\\.weight")
                ? List.of(shape.get(0), shape.get(1), 1L, 1L, 1L)
                : shape);
    assertThat(original)
        .containsEntry("decoder.mid.attn_1.proj_out.weight", List.of(512L, 512L, 1L, 1L, 1L))
        .containsKey("encoder.norm_out.weight")
        .containsKey("decoder.up.3.block.0.conv1.conv.weight");
    assertThat(shapes(part(original, "").files())).isEqualTo(own);
  }

  @Test
  void tellsThatPositionsCannotBeTold() throws IOException {
    Map<String, List<Long>> own = released("hunyuanvideo_transformer.json.gz");
    own.replaceAll((name, shape) -> name.contains("norm_q") ? List.of(64L) : shape);
    assertThatThrownBy(() -> part(own, ""))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("heads are 64 wide. Put its config.json");
  }

  @Test
  void readsLlamaAndLeavesOutWhatElseTheFileHolds() throws IOException {
    Map<String, List<Long>> llama = new TreeMap<>();
    released("llama3_8b_text_encoder.json.gz")
        .forEach((name, shape) -> llama.put("language_model.model." + name, shape));
    llama.put("language_model.lm_head.weight", List.of(128_320L, 4096L));
    llama.put("multi_modal_projector.linear_1.bias", List.of(4096L));
    LooseFiles.Part part = part(llama, "");
    assertThat(part.component()).isEqualTo("text_encoder");
    assertThat(part.config().className()).isEqualTo("LlamaModel");
    assertThat(LlamaConfig.read(part.config()))
        .isEqualTo(new LlamaConfig(128_320, 4096, 32, 8, 128, 14_336, 32, 500_000, 1e-5));
    assertThat(shapes(part.files())).isEqualTo(released("llama3_8b_text_encoder.json.gz"));
  }

  @Test
  void passesOverOtherLanguageModels() throws IOException {
    Map<String, List<Long>> other = released("llama3_8b_text_encoder.json.gz");
    other.put("layers.0.self_attn.q_proj.bias", List.of(4096L));
    assertThat(parts(other, "model.")).isEmpty();
    Map<String, List<Long>> older = released("llama3_8b_text_encoder.json.gz");
    older.put("embed_tokens.weight", List.of(32_000L, 4096L));
    assertThat(parts(older, "model.")).isEmpty();
  }

  @Test
  void readsClip() throws IOException {
    Map<String, List<Long>> clip = new TreeMap<>();
    released("clip_vit_l14_text_encoder.json.gz")
        .forEach((name, shape) -> clip.put("text_model." + name, shape));
    clip.put("text_projection.weight", List.of(768L, 768L));
    LooseFiles.Part part = part(clip, "");
    assertThat(part.component()).isEqualTo("text_encoder_2");
    assertThat(part.config().className()).isEqualTo("CLIPTextModel");
    assertThat(ClipTextConfig.read(part.config()))
        .isEqualTo(new ClipTextConfig(49_408, 768, 12, 3072, 12, 77, 2, 1e-5));
    assertThat(shapes(part.files())).isEqualTo(released("clip_vit_l14_text_encoder.json.gz"));
  }
}
