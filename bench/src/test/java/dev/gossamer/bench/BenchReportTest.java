package dev.gossamer.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BenchReportTest {
  private final BenchRow row =
      new BenchRow(
          "wan mini 16384",
          "adacluster",
          "libtorch sdpa fp32",
          Timing.of(1, 2, 3),
          Timing.of(12, 10, 11),
          0.01,
          Map.of("density", 0.25));

  @Test
  void hasTheFormThatEveryBenchHas() throws JsonProcessingException {
    JsonNode document =
        new ObjectMapper()
            .readTree(
                new BenchReport(MachineFacts.now().document(), Map.of("runs", 3), List.of(row))
                    .json());
    assertThat(document.fieldNames()).toIterable().containsExactly("machine", "settings", "rows");
    assertThat(document.at("/machine/cores").asInt()).isPositive();
    assertThat(document.at("/machine/loadAverage").size()).isEqualTo(2);
    JsonNode first = document.at("/rows/0");
    assertThat(first.at("/case").asText()).isEqualTo("wan mini 16384");
    assertThat(first.at("/subject").asText()).isEqualTo("adacluster");
    assertThat(first.at("/rival").asText()).isEqualTo("libtorch sdpa fp32");
    assertThat(first.at("/subjectMillis").asDouble()).isEqualTo(2);
    assertThat(first.at("/rivalMillis").asDouble()).isEqualTo(11);
    assertThat(first.at("/ratio").asDouble()).isEqualTo(5.5);
    assertThat(first.at("/relativeError").asDouble()).isEqualTo(0.01);
    assertThat(first.at("/density").asDouble()).isEqualTo(0.25);
    assertThat(first.at("/subjectTiming/runs").size()).isEqualTo(3);
  }

  @Test
  void whatJsonCannotSayBecomesNull() {
    String json =
        BenchReport.json(Map.of("figures", List.of(1.5, Double.NaN, Double.POSITIVE_INFINITY)));
    assertThat(json).contains("1.5, null, null");
  }

  @Test
  void saysWhenOthersKeptTheMachineBusy() {
    Map<String, Object> quiet = Map.of("cores", 2, "loadAverage", List.of(0.1, 1.9));
    Map<String, Object> busy = Map.of("cores", 2, "loadAverage", List.of(3.0, 4.0));
    assertThat(MachineFacts.loadLine(quiet)).doesNotContain("busy");
    assertThat(MachineFacts.loadLine(busy)).contains("busy");
  }
}
