package dev.gossamer.lm.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelDocument;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.Texts;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImportTest {
  /** What transformers says; the same model in float64 differs from it by 7e-6. */
  private static final double TOLERANCE = 1e-4;

  private static final String EXPORTABLE =
      """
      {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": 32,
       "heads": 4, "kvHeads": 2, "headDim": 8, "activation": "relu2", "positions": "none",
       "experts": {"count": 8, "topK": 3, "inner": 24, "latent": 8, "sharedInner": 8},
       "router": {"scores": "sigmoid", "scaling": 2.5}}
      """;

  @TempDir private Path folder;

  private static Path golden(String name) {
    try {
      return Path.of(ImportTest.class.getResource("/goldens/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static SavedModel open(Path from, Threads threads) {
    return SavedModel.open(from, DType.FLOAT32, threads, line -> {});
  }

  @ParameterizedTest
  @ValueSource(strings = {"nemotron_h", "mixtral", "qwen3_moe"})
  void saysWhatTransformersSays(String name) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        SavedModel opened = open(golden(name), threads)) {
      SafetensorsFile io = SafetensorsFile.open(golden(name).resolve("io.safetensors"));
      Tensor ids = io.tensor("input_ids");
      Tensor logits = opened.model().logits(ids.toInts(), (int) ids.size(0));
      Tensor expected = io.tensor("logits").flatten(0, 1);
      assertThat(logits.sub(expected).abs().amax().item()).isLessThan(TOLERANCE);
      Completion greedy = new Completion(SamplingSettings.GREEDY, 16, List.of(), true, true);
      Completion.Result result =
          greedy.run(
              opened.model(),
              opened.tokenizer(),
              io.tensor("prompt_ids").toInts(),
              piece -> {},
              () -> false);
      assertThat(result.ids()).isEqualTo(io.tensor("generated_ids").toInts());
    }
  }

  @Test
  void tokenizesAsTransformersDoes() throws IOException {
    JsonNode cases =
        new ObjectMapper().readTree(golden("nemotron_h").resolve("tokenizer_cases.json").toFile());
    try (TextTokenizer tokenizer = TextTokenizer.open(golden("nemotron_h"))) {
      assertThat(cases).isNotEmpty();
      for (JsonNode one : cases) {
        int[] ids = new ObjectMapper().convertValue(one.path("ids"), int[].class);
        assertThat(tokenizer.encode(one.path("text").asText())).isEqualTo(ids);
        assertThat(tokenizer.decode(ids)).isEqualTo(one.path("decoded").asText());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "model_type | \"mamba\" | model_type 'mamba' is not known",
        "hybrid_override_pattern | \"*EM*\" | 'hybrid_override_pattern'",
        "layers_block_type | [\"attention\", \"mamba\"] | 'layers_block_type'",
        "mlp_bias | true | 'mlp_bias'",
        "n_group | 2 | 'n_group'",
        "mlp_hidden_act | \"tanh\" | 'mlp_hidden_act'",
        "moe_latent_size | null | 'moe_latent_size'",
        "moe_latent_size | 12 | fc1_latent_proj",
        "n_routed_experts | 7 | mixer.gate.weight",
        "hybrid_override_pattern | \"*E\" | tensors that its model has not"
      })
  void whatIsNotKnownIsNamed(String key, String value, String message) throws IOException {
    copy(golden("nemotron_h"), folder);
    Path config = folder.resolve("config.json");
    ObjectNode tree = (ObjectNode) new ObjectMapper().readTree(config.toFile());
    tree.set(key, new ObjectMapper().readTree(value));
    Files.writeString(config, tree.toString());
    try (Threads threads = new Threads(1)) {
      assertThatThrownBy(() -> open(folder, threads))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining(message);
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
  }

  @Test
  void bothGenerationsOfConfigurationsAreRead() throws IOException {
    copy(golden("nemotron_h"), folder);
    Path config = folder.resolve("config.json");
    ModelSettings before = ImportedFolder.open(folder).settings();
    ObjectNode tree = (ObjectNode) new ObjectMapper().readTree(config.toFile());
    tree.remove("hybrid_override_pattern");
    tree.putArray("layers_block_type").add("full_attention").add("moe").add("attention").add("moe");
    Files.writeString(config, tree.toString());
    assertThat(ImportedFolder.open(folder).settings()).isEqualTo(before);
  }

  private static ModelSettings settings(String text) throws IOException {
    return ModelDocument.read(
        SettingsFile.of("test", (ObjectNode) new ObjectMapper().readTree(text)));
  }

  /** With and without a shared expert, which that model always has. */
  @ParameterizedTest
  @ValueSource(ints = {8, 0})
  void exportedBigMacComesBackTheSame(int shared) throws IOException {
    ModelSettings settings =
        settings(EXPORTABLE.replace("\"sharedInner\": 8", "\"sharedInner\": " + shared));
    int[] ids = {'T', 'h', 'e', ' ', 's', 'e', 'a'};
    Path out = folder.resolve("exported");
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        TextTokenizer bytes = TextTokenizer.open(Texts.tokens(folder, 257));
        LanguageModel model = new LanguageModel(settings, 3, DType.FLOAT32, threads)) {
      model.expertLayers().get(1).router().bias(new double[] {.1, 0, -.2, 0, 0, .3, 0, 0});
      double[] expected = model.logits(ids, 1).toDoubles();
      NemotronExport.write(model, bytes, out, DType.FLOAT32);
      try (SavedModel back = open(out, threads)) {
        assertThat(back.model().logits(ids, 1).toDoubles()).containsExactly(expected, offset(1e-6));
        assertThat(back.tokenizer().end()).hasValue(256);
      }
    }
    assertThat(out.resolve("generation_config.json")).content().contains("256");
  }

  @Test
  void whatNemotronCannotBeIsListed() throws IOException {
    ModelSettings other =
        settings(
            """
            {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": 32,
             "heads": 4, "norm": "layer", "gated": true,
             "experts": {"count": 8, "topK": 3, "inner": 24, "latent": 8, "firstDense": 1,
               "latentNorm": true}}
            """);
    assertThat(NemotronExport.obstacles(other))
        .containsExactly(
            "norm is not rms",
            "attention has positions (positions must be none)",
            "some layers have no experts",
            "experts are gated",
            "the narrow sum is normalised",
            "the router's scores are not sigmoid");
    assertThat(NemotronExport.obstacles(settings(EXPORTABLE))).isEmpty();
    try (Threads threads = new Threads(1);
        TextTokenizer bytes = TextTokenizer.open(Texts.tokens(folder, 257));
        LanguageModel model = new LanguageModel(other, 3, DType.FLOAT32, threads)) {
      assertThatThrownBy(
              () -> NemotronExport.write(model, bytes, folder.resolve("x"), DType.FLOAT32))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("norm is not rms; attention has positions");
      assertThat(folder.resolve("x")).doesNotExist();
    }
  }
}
