package dev.gossamer.moe.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsFileTest {
  private static final String CLUSTER =
      """
      {"name": "mine", "ranksPerNode": 4, "peakTflops": 100, "denseEfficiency": 0.5,
       "memoryGB": 24, "memoryGBps": 900, "wire": "fp16",
       "nodeLink": {"latencyMicros": 5, "GBps": 12.5},
       "localLink": {"latencyMicros": 3, "GBps": 20}}
      """;
  private static final String MODEL =
      """
      {"hidden": 512, "layers": 6, "experts": 64, "topK": 4, "inner": 128, "match": "params"}
      """;

  @TempDir Path temp;

  private Path file(String text) throws IOException {
    return Files.writeString(temp.resolve("settings.json"), text);
  }

  @Test
  void readsAClusterOfOnesOwn() throws IOException {
    ClusterProfile cluster = ClusterProfile.read(file(CLUSTER));
    assertThat(cluster.ranks()).isEqualTo(4);
    assertThat(cluster.compute().peakFlops()).isEqualTo(1e14);
    assertThat(cluster.compute().expertEfficiency()).isEqualTo(0.5);
    assertThat(cluster.nodeLink()).contains(new Link(1e-6 * 5, 12.5e9));
    assertThat(cluster.wire()).isEqualTo(DType.FLOAT16);
    assertThat(cluster.document()).containsEntry("memoryGB", 24.0);
  }

  @Test
  void readsAModelOfOnesOwn() throws IOException {
    PlannedModel model = PlannedModel.read(file(MODEL));
    assertThat(model.hidden()).isEqualTo(512);
    assertThat(model.match()).isEqualTo(Match.PARAMS);
    assertThat(model.sequence()).isEqualTo(2048);
  }

  @Test
  void everyPresetIsThere() {
    for (String name : ClusterProfile.PRESETS) {
      assertThat(ClusterProfile.preset(name).name()).isEqualTo(name);
    }
    for (String name : PlannedModel.PRESETS) {
      assertThat(PlannedModel.preset(name).matched().residual()).isZero();
    }
    assertThatThrownBy(() -> ClusterProfile.preset("moon"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("Use paper-cluster");
    assertThatThrownBy(() -> PlannedModel.preset("moon"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("Use gpt3-medium");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"wire\"|\"wires\"|unknown key 'wires'",
        "\"GBps\": 20|\"GBs\": 20|(localLink): 'GBps' is missing",
        "\"GBps\": 20|\"GBps\": 20, \"extra\": 1|(localLink): unknown key 'extra'",
        "\"GBps\": 20|\"GBps\": -1|carries -1.0E9 bytes",
        "\"peakTflops\": 100,||'peakTflops' is missing",
        "100|\"fast\"|'peakTflops' is \"fast\", not a number",
        "0.5|1.5|dense efficiency of 1.5",
        "\"wire\"|\"ranks\": 9, \"wire\"|9 ranks, with",
        "fp16|int8|Unknown dtype 'int8'",
        "{\"name\"|{\"name\": \"twice\", \"name\"|not valid JSON",
        "20}}|20}|not valid JSON",
        "20}}|20}} {}|not valid JSON"
      })
  void refusesAWrongClusterInOneLine(String text, String instead, String because)
      throws IOException {
    String wrong = CLUSTER.strip().replace(text, instead == null ? "" : instead);
    assertThatThrownBy(() -> ClusterProfile.read(file(wrong)))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("settings.json")
        .hasMessageContaining(because)
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"inner\"|\"width\"|'inner' is missing",
        "128|128.5|'inner' is 128.5, not a whole number",
        "\"topK\": 4|\"topK\": 400|top-400 of 64 experts",
        "params|all|'match' is \"all\", not one of nominal, params, flops, reinvest",
        "\"layers\": 6|\"layers\": 6, \"depth\": 6|unknown key 'depth'"
      })
  void refusesAWrongModelInOneLine(String text, String instead, String because) throws IOException {
    assertThatThrownBy(() -> PlannedModel.read(file(MODEL.replace(text, instead))))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(because);
  }

  @Test
  void refusesWhatIsNoFile() throws IOException {
    assertThatThrownBy(() -> ClusterProfile.read(temp.resolve("absent.json")))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no such file");
    assertThatThrownBy(() -> ClusterProfile.read(file("[]")))
        .hasMessageContaining("not one JSON object");
    assertThatThrownBy(() -> ClusterProfile.read(file(""))).isInstanceOf(BadInputException.class);
  }
}
