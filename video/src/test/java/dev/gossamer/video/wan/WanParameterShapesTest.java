package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.weights.Parameters;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;

/** Golden param_shapes: names and shapes of the released checkpoints. */
class WanParameterShapesTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void asksForTheTensorsOfThe1300MillionModel() throws IOException {
    assertAsks(
        new WanTransformerConfig(1, 2, 2, 12, 128, 16, 4096, 256, 8960, 30, 1e-6, 1024),
        "wan2.1_t2v_1.3b_transformer");
  }

  @Test
  void asksForTheTensorsOfThe14BillionModel() throws IOException {
    assertAsks(
        new WanTransformerConfig(1, 2, 2, 40, 128, 16, 4096, 256, 13824, 40, 1e-6, 1024),
        "wan2.1_t2v_14b_transformer");
  }

  private static void assertAsks(WanTransformerConfig config, String name) throws IOException {
    Map<String, List<Long>> shapes;
    try (InputStream file =
        Files.newInputStream(Golden.path("/goldens/param_shapes/" + name + ".json.gz"))) {
      shapes = JSON.readValue(new GZIPInputStream(file), new TypeReference<>() {});
    }
    long numbers =
        JSON.readTree(Golden.path("/goldens/param_shapes/summary.json").toFile())
            .path(name)
            .path("parameters")
            .asLong();
    try (Scope scope = Scope.open()) {
      Parameters parameters = Parameters.outline(scope);
      WanTransformer.of(config, parameters).close();
      assertThat(parameters.asked()).isEqualTo(shapes);
      assertThat(parameters.count()).isEqualTo(numbers);
    }
  }
}
