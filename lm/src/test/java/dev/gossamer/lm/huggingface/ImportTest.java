package dev.gossamer.lm.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.AttentionSettings;
import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.WatchedModel;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.lm.train.TextEvaluation;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImportTest {
  /** What transformers says; the same models in float64 differ from it by 1.6e-5 at most. */
  private static final double TOLERANCE = 1e-4;

  private static final double OF_WEIGHTS = 1e-5;

  @TempDir private Path folder;

  static Stream<String> families() {
    return ModelFamily.all().stream().map(ModelFamily::type);
  }

  private static SavedModel open(Path from, Threads threads) {
    return SavedModel.open(from, DType.FLOAT32, threads, line -> {});
  }

  private static int[] continued(SavedModel model, int[] prompt, boolean cached) {
    return new Completion(SamplingSettings.GREEDY, 16, List.of(), true, cached)
        .run(model.model(), model.tokenizer(), prompt, piece -> {}, () -> false)
        .ids();
  }

  @ParameterizedTest
  @MethodSource("families")
  void saysWhatTransformersSays(String family) throws IOException {
    Path copy = Goldens.copy(family, folder.resolve("model"));
    SafetensorsFile io = Goldens.io(family);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        SavedModel opened = open(copy, threads)) {
      Tensor ids = io.tensor("input_ids");
      Tensor logits = opened.model().logits(ids.toInts(), (int) ids.size(0));
      assertThat(logits.toDoubles())
          .containsExactly(io.tensor("logits").toDoubles(), offset(TOLERANCE));
      for (boolean cached : new boolean[] {true, false}) {
        assertThat(continued(opened, io.tensor("prompt_ids").toInts(), cached))
            .isEqualTo(io.tensor("generated_ids").toInts());
      }
    }
  }

  /** Layer by layer: the stream behind it, and which experts tokens visit with what weight. */
  @ParameterizedTest
  @ValueSource(strings = {"qwen2_moe", "deepseek_v2", "deepseek_v3"})
  void layersAreThoseOfTransformers(String family) throws IOException {
    Path copy = Goldens.copy(family, folder.resolve("model"));
    SafetensorsFile io = Goldens.io(family);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        SavedModel opened = open(copy, threads)) {
      int[] ids = io.tensor("input_ids").toInts();
      WatchedModel seen = WatchedModel.of(opened.model(), ids, 2);
      ModelSettings settings = opened.model().settings();
      for (int layer = 0; layer < settings.layers(); layer++) {
        assertThat(seen.streams().get(layer))
            .containsExactly(io.tensor("hidden." + layer).toDoubles(), offset(TOLERANCE));
        String router = "router." + layer;
        assertThat(settings.hasExperts(layer))
            .isEqualTo(io.entries().containsKey(router + ".experts"));
        if (settings.hasExperts(layer)) {
          assertThat(seen.experts().get(layer)).isEqualTo(io.tensor(router + ".experts").toInts());
          assertThat(seen.weights().get(layer))
              .containsExactly(io.tensor(router + ".weights").toDoubles(), offset(OF_WEIGHTS));
        }
      }
    }
  }

  /** In pieces behind a cache, two texts at once: as each text whole and alone. */
  @ParameterizedTest
  @MethodSource("families")
  void cachedAndTogetherIsAsWholeAndAlone(String family) throws IOException {
    Path copy = Goldens.copy(family, folder.resolve("model"));
    SafetensorsFile io = Goldens.io(family);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        SavedModel opened = open(copy, threads);
        KeyValueCache first = opened.model().newCache();
        KeyValueCache second = opened.model().newCache()) {
      LanguageModel model = opened.model();
      int length = (int) io.tensor("input_ids").size(1);
      int[] ids = io.tensor("input_ids").toInts();
      int[] one = Arrays.copyOf(ids, length);
      int[] other = Arrays.copyOfRange(ids, length, 2 * length);
      Tensor alone = model.logits(one, 1);
      int step = 4;
      for (int at = 0; at < length; at += step, step = 1) {
        int[] both = Arrays.copyOfRange(one, at, at + 2 * step);
        System.arraycopy(other, at, both, step, step);
        Tensor found = model.logits(both, List.of(first, second), new int[] {step, step});
        assertThat(found.narrow(0, 0, step).toDoubles())
            .containsExactly(alone.narrow(0, at, step).toDoubles(), offset(2e-5));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nemotron_h", "deepseek_tokenizer"})
  void tokenizesAsTransformersDoes(String name) throws IOException {
    JsonNode cases =
        new ObjectMapper().readTree(Goldens.of(name).resolve("tokenizer_cases.json").toFile());
    try (TextTokenizer tokenizer = TextTokenizer.open(Goldens.of(name))) {
      assertThat(cases).isNotEmpty();
      for (JsonNode one : cases) {
        int[] ids = new ObjectMapper().convertValue(one.path("ids"), int[].class);
        assertThat(tokenizer.encode(one.path("text").asText())).isEqualTo(ids);
        assertThat(tokenizer.decode(ids)).isEqualTo(one.path("decoded").asText());
      }
    }
  }

  /** One tensor for all experts of a layer, under the names that transformers has in memory. */
  @ParameterizedTest
  @MethodSource("families")
  void expertsInOneTensorAreTheSameBits(String family) throws IOException {
    Path apart = Goldens.copy(family, folder.resolve("apart"));
    Path merged = Goldens.copy(family, folder.resolve("merged"));
    Goldens.merge(merged);
    int[] ids = {3, 1, 4, 1, 5, 9};
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        SavedModel one = open(apart, threads);
        SavedModel other = open(merged, threads)) {
      assertThat(SafetensorsFile.open(merged.resolve(Goldens.WEIGHTS)).entries().keySet())
          .noneMatch(name -> name.matches(".*experts\\.\\d.*"));
      assertThat(other.model().logits(ids, 1).toDoubles())
          .containsExactly(one.model().logits(ids, 1).toDoubles());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "nemotron_h | model_type | \"mamba\" | model_type 'mamba' is not known",
        "nemotron_h | hybrid_override_pattern | \"*EM*\" | 'hybrid_override_pattern'",
        "nemotron_h | layers_block_type | [\"attention\", \"mamba\"] | 'layers_block_type'",
        "nemotron_h | mlp_bias | true | 'mlp_bias'",
        "nemotron_h | n_group | 2 | 'n_group'",
        "nemotron_h | mlp_hidden_act | \"tanh\" | 'mlp_hidden_act'",
        "nemotron_h | moe_latent_size | null | 'moe_latent_size'",
        "nemotron_h | moe_latent_size | 12 | fc1_latent_proj",
        "nemotron_h | n_routed_experts | 7 | mixer.gate.weight",
        "nemotron_h | hybrid_override_pattern | \"*E\" | tensors that its model has not",
        "mixtral | rope_scaling | {\"type\": \"linear\", \"factor\": 2} | 'rope_scaling'",
        "mixtral | quantization_config | {\"bits\": 8} | 'quantization_config'",
        "mixtral | attention_bias | true | 'attention_bias'",
        "qwen2_moe | num_experts_per_tok | 9 | top-9 of 4 experts",
        "qwen2_moe | shared_expert_intermediate_size | 8 | shared_expert.gate_proj.weight",
        "qwen2_moe | mlp_only_layers | [] | layers.1.mlp.gate.weight",
        "qwen2_moe | qkv_bias | false | tensors that its model has not",
        "qwen2_moe | hidden_act | \"gelu\" | 'hidden_act'",
        "qwen3_moe | partial_rotary_factor | 0.5 | 'partial_rotary_factor'",
        "deepseek_v2 | topk_method | \"noaux_tc\" | 'topk_method'",
        "deepseek_v2 | norm_topk_prob | true | 'norm_topk_prob'",
        "deepseek_v2 | moe_layer_freq | 2 | 'moe_layer_freq'",
        "deepseek_v2 | scoring_func | \"sigmoid\" | 'scoring_func'",
        "deepseek_v2 | attention_bias | true | 'attention_bias'",
        "deepseek_v2 | mlp_bias | true | 'mlp_bias'",
        "deepseek_v2 | num_key_value_heads | 2 | 'num_key_value_heads'",
        "deepseek_v2 | kv_lora_rank | 6 | kv_a_proj_with_mqa",
        "deepseek_v2 | qk_rope_head_dim | 7 | rotary part of width 7",
        "deepseek_v2 | rope_parameters | {\"rope_type\": \"longrope\"} | 'rope_parameters'",
        "deepseek_v3 | scoring_func | \"softmax\" | 'scoring_func'",
        "deepseek_v3 | topk_method | \"greedy\" | 'topk_method'",
        "deepseek_v3 | q_lora_rank | null | self_attn.q_proj.weight",
        "deepseek_v3 | n_group | 3 | 3 choices do not fit"
      })
  void whatIsNotKnownIsNamed(String family, String key, String value, String message)
      throws IOException {
    Path copy = Goldens.copy(family, folder.resolve("model"));
    change(copy, key, value);
    try (Threads threads = new Threads(1)) {
      assertThatThrownBy(() -> open(copy, threads))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining(message);
    }
  }

  private static void change(Path model, String key, String value) throws IOException {
    Path config = model.resolve("config.json");
    ObjectNode tree = (ObjectNode) new ObjectMapper().readTree(config.toFile());
    tree.set(key, new ObjectMapper().readTree(value));
    Files.writeString(config, tree.toString());
  }

  @Test
  void aStackOfOtherExpertsIsNamed() throws IOException {
    Path merged = Goldens.copy("qwen2_moe", folder.resolve("merged"));
    Goldens.merge(merged);
    change(merged, "moe_intermediate_size", "9");
    try (Threads threads = new Threads(1)) {
      assertThatThrownBy(() -> open(merged, threads))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("layers.0.mlp.experts.gate_up_proj")
          .hasMessageContaining("[4, 16, 16]")
          .hasMessageContaining("[4, 18, 16]");
    }
  }

  @Test
  void bothGenerationsOfConfigurationsAreRead() throws IOException {
    Path blocks = Goldens.copy("nemotron_h", folder.resolve("blocks"));
    ModelSettings before = ImportedFolder.open(blocks).settings();
    change(blocks, "hybrid_override_pattern", "null");
    change(blocks, "layers_block_type", "[\"full_attention\", \"moe\", \"attention\", \"moe\"]");
    assertThat(ImportedFolder.open(blocks).settings()).isEqualTo(before);

    Path counted = Goldens.copy("qwen3_moe", folder.resolve("counted"));
    ModelSettings experts = ImportedFolder.open(counted).settings();
    change(counted, "num_experts", "null");
    change(counted, "num_local_experts", "4");
    assertThat(ImportedFolder.open(counted).settings()).isEqualTo(experts);

    Path yarn = Goldens.copy("deepseek_v2", folder.resolve("yarn"));
    ModelSettings stretched = ImportedFolder.open(yarn).settings();
    change(yarn, "rope_parameters", "null");
    change(yarn, "rope_theta", "10");
    change(
        yarn,
        "rope_scaling",
        """
        {"type": "yarn", "factor": 4, "original_max_position_embeddings": 16, "beta_fast": 2,
         "beta_slow": 0.1, "mscale": 1.0, "mscale_all_dim": 0.707}
        """);
    assertThat(ImportedFolder.open(yarn).settings()).isEqualTo(stretched);
  }

  /** YaRN, 3.4; what transformers calls mscale is squared, as queries and keys both grow. */
  @Test
  void scoresGrowWithTheContext() throws IOException {
    Path yarn = Goldens.copy("deepseek_v2", folder.resolve("yarn"));
    AttentionSettings.Latent attention =
        (AttentionSettings.Latent) ImportedFolder.open(yarn).settings().attention();
    double all = 1 + 0.1 * 0.707 * Math.log(4);
    assertThat(attention.scoreScale()).isCloseTo(all * all, offset(1e-12));
    assertThat(attention.rotary().yarn().orElseThrow().size())
        .isCloseTo((1 + 0.1 * Math.log(4)) / all, offset(1e-12));
  }

  @Test
  void aModelIsEvaluatedAndNoCheckpoint() throws IOException {
    Path copy = Goldens.copy("deepseek_v3", folder.resolve("model"));
    Path logits = folder.resolve("logits.safetensors");
    int[] ids = Goldens.ids("deepseek_v3", "input_ids");
    int[] text = Arrays.copyOf(ids, ids.length / 2);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        SavedModel opened = open(copy, threads)) {
      new TextEvaluation(text, text.length)
          .of(opened.model(), opened.tokenizer(), Optional.of(logits));
      double[] expected = Goldens.io("deepseek_v3").tensor("logits").select(0, 0).toDoubles();
      assertThat(SafetensorsFile.open(logits).tensor("logits").toDoubles())
          .containsExactly(expected, offset(TOLERANCE));
    }
    assertThatThrownBy(() -> SavedModel.checkpoint(copy, line -> {}))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("is a model and no checkpoint");
  }

  /** Released files have a further layer that guesses a token more. */
  @Test
  void layersThatGuessFurtherAreLeftOut() throws IOException {
    Path more = Goldens.copy("deepseek_v3", folder.resolve("more"));
    int[] ids = {3, 1, 4};
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1)) {
      SafetensorsFile stored =
          SafetensorsFile.open(Goldens.of("deepseek_v3").resolve(Goldens.WEIGHTS));
      Map<String, Tensor> tensors = new TreeMap<>();
      stored.entries().keySet().forEach(name -> tensors.put(name, stored.tensor(name)));
      tensors.put("model.layers.3.eh_proj.weight", Tensor.zeros(DType.FLOAT32, 16, 32));
      SafetensorsWriter.write(more.resolve(Goldens.WEIGHTS), tensors, Map.of());
      change(more, "num_nextn_predict_layers", "1");
      try (SavedModel opened = open(more, threads)) {
        assertThat(opened.model().logits(ids, 1).count()).isEqualTo(3 * 64);
      }
      change(more, "num_nextn_predict_layers", "0");
      assertThatThrownBy(() -> open(more, threads)).hasMessageContaining("layers.3.eh_proj");
    }
  }
}
