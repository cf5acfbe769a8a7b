package dev.gossamer.video.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.Golden;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PromptCleaningTest {
  /**
   * prompt_clean.json is the reference pipeline's; unescape.json is Python 3.11 on random texts.
   */
  @ParameterizedTest
  @ValueSource(strings = {"prompt_clean.json", "unescape.json"})
  void agreesWithTheGolden(String file) throws IOException {
    JsonNode cases =
        new ObjectMapper().readTree(Golden.path("/goldens/tokenizers/" + file).toFile());
    assertThat(cases.size()).isGreaterThan(30);
    for (JsonNode expected : cases) {
      assertThat(PromptCleaning.clean(expected.path("text").asText()))
          .as(expected.path("text").asText())
          .isEqualTo(expected.path("cleaned").asText());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "salt &amp; pepper,salt & pepper",
    "&amp;amp;amp;,&amp;",
    "&lt;&#98;&#x3e;,<b>",
    "&quot;&apos;,\"'",
    "a&nbsp;&nbsp;b,a b",
    "&ampersand,&ersand",
    "&unknown; & &#; &#x;,&unknown; & &#; &#x;",
    "&NotEqualTilde;,\u2242\u0338",
  })
  void replacesReferences(String prompt, String cleaned) {
    assertThat(PromptCleaning.clean(prompt)).isEqualTo(cleaned);
  }

  @ParameterizedTest
  @ValueSource(strings = {"amp", "amp;", "Aacute", "zwnj;", "ThickSpace;", "fjlig;"})
  void knowsNamesOfEveryKind(String name) {
    assertThat(HtmlEntities.unescape("&" + name)).doesNotContain("&" + name);
  }
}
