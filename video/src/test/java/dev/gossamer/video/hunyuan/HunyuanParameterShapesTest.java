package dev.gossamer.video.hunyuan;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.video.text.ClipTextConfig;
import dev.gossamer.video.text.ClipTextEncoder;
import dev.gossamer.video.text.LlamaConfig;
import dev.gossamer.video.text.LlamaEncoder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;

/** Golden param_shapes: names and shapes of the released checkpoint. */
class HunyuanParameterShapesTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Map<String, List<Long>> shapes(String name) throws IOException {
    try (InputStream file =
        Files.newInputStream(Golden.path("/goldens/param_shapes/" + name + ".json.gz"))) {
      return JSON.readValue(new GZIPInputStream(file), new TypeReference<>() {});
    }
  }

  private static Map<String, List<Long>> asked(Consumer<Parameters> model) {
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      model.accept(parameters);
      return parameters.asked();
    }
  }

  @Test
  void transformerAsksForTheTensorsOfTheReleasedModel() throws IOException {
    HunyuanTransformerConfig config =
        new HunyuanTransformerConfig(
            16, 24, 128, 20, 40, 2, 12_288, 2, 1, 4096, 768, 256, List.of(16, 56, 56));
    assertThat(asked(parameters -> HunyuanTransformer.of(config, parameters).close()))
        .isEqualTo(shapes("hunyuanvideo_transformer"));
  }

  @Test
  void clipAsksForTheTensorsOfTheReleasedModel() throws IOException {
    ClipTextConfig config = new ClipTextConfig(49_408, 768, 12, 3072, 12, 77, 2, 1e-5);
    assertThat(
            asked(parameters -> new ClipTextEncoder(config, parameters, Scope.detached()).close()))
        .isEqualTo(shapes("clip_vit_l14_text_encoder"));
  }

  @Test
  void llamaAsksForTheTensorsOfTheLayersThatItRuns() throws IOException {
    LlamaConfig config = new LlamaConfig(128_320, 4096, 32, 8, 128, 14_336, 32, 500_000, 1e-5);
    Map<String, List<Long>> run = shapes("llama3_8b_text_encoder");
    run.keySet().removeIf(name -> name.matches("layers\\.3[01]\\..*|norm\\.weight"));
    Map<String, List<Long>> asked =
        asked(parameters -> new LlamaEncoder(config, parameters, Scope.detached()).close());
    assertThat(asked).isEqualTo(run);
    assertThat(shapes("llama3_8b_text_encoder").keySet())
        .allMatch(name -> LlamaEncoder.loads(config, name) == asked.containsKey(name));
  }

  @Test
  void autoencoderAsksForTheTensorsOfTheReleasedOne() throws IOException {
    HunyuanAutoencoderConfig config =
        new HunyuanAutoencoderConfig(16, List.of(128, 256, 512, 512), 2, 32, 8, 4, 0.476986, true);
    assertThat(asked(parameters -> HunyuanAutoencoder.inspect(config, parameters)))
        .isEqualTo(shapes("hunyuanvideo_vae"));
  }
}
