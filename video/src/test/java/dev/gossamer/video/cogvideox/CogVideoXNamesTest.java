package dev.gossamer.video.cogvideox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.LooseFiles;
import dev.gossamer.video.OriginalNames;
import dev.gossamer.video.SparseWeights;
import dev.gossamer.video.cogvideox.CogVideoXTransformerConfig.Positions;
import dev.gossamer.video.cogvideox.CogVideoXTransformerConfig.Token;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files of the released sizes, without a configuration. */
class CogVideoXNamesTest {
  @TempDir Path folder;

  private LooseFiles.Part part(Map<String, List<Long>> shapes, String prefix) throws IOException {
    Path file = SparseWeights.write(folder.resolve("part.safetensors"), prefix, shapes);
    List<LooseFiles.Part> parts =
        new CogVideoXLooseFiles().recognise(TensorFiles.of(file), Optional.empty());
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

  @ParameterizedTest
  @CsvSource({
    "cogvideox_2b,30,30,SINUSOIDAL,3.0,1.15258426,pos_embedding",
    "cogvideox_5b,48,42,ROTARY,1.0,0.7,freqs_cos"
  })
  void readsTheTransformerUnderItsMakersNames(
      String name,
      int heads,
      int layers,
      Positions positions,
      double shift,
      double scaling,
      String table)
      throws IOException {
    Map<String, List<Long>> own = released(name + "_transformer.json.gz");
    Map<String, List<Long>> original = OriginalNames.cogvideox(own.keySet()).shapes(own);
    assertThat(original)
        .containsEntry("mixins.adaln_layer.adaLN_modulations.29.1.bias", List.of(12L * 64 * heads));
    original.put("mixins.pos_embed." + table, List.of(8L, 8L));
    LooseFiles.Part part = part(original, "model.diffusion_model.");
    CogVideoXTransformerConfig config = CogVideoXTransformerConfig.of(part.config());
    assertThat(config)
        .isEqualTo(
            new CogVideoXTransformerConfig(
                heads,
                64,
                layers,
                16,
                4096,
                226,
                512,
                2,
                Token.PICTURE,
                1,
                positions,
                49,
                60,
                90,
                1.875,
                1,
                1e-5));
    assertThat(shapes(part.files())).isEqualTo(own);
    var settings = new CogVideoXLooseFiles().settings(part);
    assertThat(settings.get("scheduler").path("snr_shift_scale").asDouble()).isEqualTo(shift);
    assertThat(settings.get("vae").path("scaling_factor").asDouble()).isEqualTo(scaling);
  }

  @Test
  void reads15UnderDiffusersNamesOnly() throws IOException {
    Map<String, List<Long>> own = released("cogvideox1.5_5b_transformer.json.gz");
    CogVideoXTransformerConfig config =
        CogVideoXTransformerConfig.of(part(own, "transformer.").config());
    assertThat(config.token()).isEqualTo(Token.VOLUME);
    assertThat(config.patchFrames()).isEqualTo(2);
    assertThat(config.channels()).isEqualTo(16);
    assertThat(config.heads()).isEqualTo(48);
    assertThatThrownBy(() -> part(OriginalNames.cogvideox(own.keySet()).shapes(own), ""))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("part.safetensors: it is CogVideoX 1.5 under its own names");
  }

  @Test
  void readsTheAutoencoderUnderItsMakersNames() throws IOException {
    Map<String, List<Long>> own = released("cogvideox_vae.json");
    Map<String, List<Long>> original = OriginalNames.autoencoder(own.keySet()).shapes(own);
    assertThat(original).containsKey("decoder.up.3.block.0.norm1.conv_y.conv.weight");
    original.put("loss.logvar", List.of(1L));
    LooseFiles.Part part = part(original, "");
    assertThat(CogVideoXAutoencoderConfig.of(part.config()).channels())
        .containsExactly(128, 256, 256, 512);
    assertThat(CogVideoXAutoencoderConfig.of(part.config()).blocks()).isEqualTo(3);
    assertThat(shapes(part.files())).isEqualTo(own);
  }
}
