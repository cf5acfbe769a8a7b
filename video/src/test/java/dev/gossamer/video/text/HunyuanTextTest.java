package dev.gossamer.video.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Golden {@code hunyuan_text}: Llama and CLIP as HunyuanVideo's text encoders. */
class HunyuanTextTest {
  /** float32; the reference differs from itself by 4e-6. */
  private static final double TOLERANCE = 3e-5;

  private static final Golden GOLDEN = Golden.open("/goldens/hunyuan_text/io.safetensors");
  private static final Path CHECKPOINT = Golden.path("/goldens/hunyuan_pipeline/checkpoint");

  @TempDir Path folder;

  private static LlamaEncoder llama(Path from, DType dtype) {
    return LlamaEncoder.open(from, dtype, Device.CPU);
  }

  private static ClipTextEncoder clip(Path from) {
    return ClipTextEncoder.open(from, DType.FLOAT32, Device.CPU);
  }

  /** The folder with every tensor under another name. */
  private Path renamed(String component, String before, String after) throws IOException {
    Path from = CHECKPOINT.resolve(component);
    Files.copy(from.resolve("config.json"), folder.resolve("config.json"));
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    TensorFiles files = TensorFiles.in(from);
    files
        .entries()
        .keySet()
        .forEach(
            name ->
                tensors.put(
                    after + (name.startsWith(before) ? name.substring(before.length()) : name),
                    files.tensor(name)));
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors, Map.of());
    return folder;
  }

  private static void assertLlama(Path from) {
    try (Scope scope = Scope.open();
        LlamaEncoder encoder = llama(from, DType.FLOAT32)) {
      Tensor seen = GOLDEN.tensor("llama_mask").unsqueeze(2).to(DType.FLOAT32);
      assertThat(
              Golden.maxDifference(
                  encoder.encode(GOLDEN.tensor("llama_ids")).mul(seen),
                  GOLDEN.tensor("llama_skip2").mul(seen)))
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void llamaAgreesWithTheGolden() {
    assertLlama(CHECKPOINT.resolve("text_encoder"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.", "language_model.model."})
  void llamaIsFoundInsideALargerModel(String prefix) throws IOException {
    try (Scope scope = Scope.open()) {
      assertLlama(renamed("text_encoder", "", prefix));
    }
  }

  @Test
  void llamaInLowPrecisionStaysNearTheGolden() {
    try (Scope scope = Scope.open();
        LlamaEncoder encoder = llama(CHECKPOINT.resolve("text_encoder"), DType.BFLOAT16)) {
      Tensor seen = GOLDEN.tensor("llama_mask").unsqueeze(2).to(DType.FLOAT32);
      assertThat(
              Golden.relativeError(
                  encoder.encode(GOLDEN.tensor("llama_ids")).to(DType.FLOAT32).mul(seen),
                  GOLDEN.tensor("llama_skip2").mul(seen)))
          .isBetween(1e-6, 0.03);
    }
  }

  private static void assertClip(Path from) {
    try (Scope scope = Scope.open();
        ClipTextEncoder encoder = clip(from)) {
      Tensor ids = GOLDEN.tensor("clip_ids");
      assertThat(Golden.maxDifference(encoder.encode(ids), GOLDEN.tensor("clip_last_hidden_state")))
          .isLessThan(TOLERANCE);
      for (int text = 0; text < 2; text++) {
        assertThat(
                Golden.maxDifference(
                    encoder.pooled(ids.narrow(0, text, 1)),
                    GOLDEN.tensor("clip_pooled").narrow(0, text, 1)))
            .isLessThan(TOLERANCE);
      }
    }
  }

  @Test
  void clipAgreesWithTheGolden() {
    assertClip(CHECKPOINT.resolve("text_encoder_2"));
  }

  @Test
  void clipIsFoundUnderItsNewerNames() throws IOException {
    try (Scope scope = Scope.open()) {
      assertClip(renamed("text_encoder_2", "text_model.", ""));
    }
  }

  @Test
  void clipPoolsTheSameWithoutPadding() {
    try (Scope scope = Scope.open();
        ClipTextEncoder encoder = clip(CHECKPOINT.resolve("text_encoder_2"))) {
      Tensor ids = GOLDEN.tensor("clip_ids").narrow(0, 0, 1);
      long[] all = ids.toLongs();
      int end = 0;
      while (all[end] != 917) {
        end++;
      }
      assertThat(end).isLessThan(76);
      assertThat(
              Golden.maxDifference(
                  encoder.pooled(ids.narrow(1, 0, end + 1)),
                  GOLDEN.tensor("clip_pooled").narrow(0, 0, 1)))
          .isLessThan(TOLERANCE);
    }
  }

  /** Golden tokenizers, for the form that CLIP's tokenizer is released in. */
  @Test
  void clipsTokenizerIsReadFromItsVocabularyAndMerges() throws IOException {
    JsonNode golden =
        new ObjectMapper()
            .readTree(Golden.path("/goldens/tokenizers/cases.json").toFile())
            .path("clip_like");
    Path released = CHECKPOINT.resolve("tokenizer_2");
    assertThat(Files.exists(released.resolve("tokenizer.json"))).isFalse();
    try (Tokenizer tokenizer = Tokenizer.open(released)) {
      assertThat(tokenizer.padId()).isEqualTo(golden.path("pad_id").asLong());
      for (JsonNode expected : golden.path("cases")) {
        assertThat(tokenizer.encode(expected.path("text").asText(), 77).ids())
            .as(expected.path("text").asText())
            .containsExactly(
                StreamSupport.stream(expected.path("ids").spliterator(), false)
                    .mapToLong(JsonNode::asLong)
                    .toArray());
      }
    }
  }

  /** Llama's tokenizer puts nothing behind a text; a special token in the text is not its own. */
  @Test
  void aLongPromptInItsTemplateLosesItsEnd() {
    String prompt =
        "<|start_header_id|>user<|end_header_id|>" + "a cat ".repeat(200) + "<|eot_id|>";
    try (Tokenizer tokenizer = Tokenizer.open(CHECKPOINT.resolve("tokenizer"))) {
      TokenIds whole = tokenizer.encode(prompt, 100_000);
      TokenIds cut = tokenizer.encode(prompt, 100);
      assertThat(cut.ids()).containsExactly(java.util.Arrays.copyOf(whole.ids(), 100));
      assertThat(cut.dropped()).isEqualTo(whole.count() - 100);
    }
  }

  @Test
  void refusesAVocabularyThatIsNotClips() throws IOException {
    Files.writeString(folder.resolve("vocab.json"), "{\"a\": 0}");
    Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\n");
    assertThatThrownBy(() -> Tokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("<|startoftext|>");
    Files.copy(
        CHECKPOINT.resolve("tokenizer_2/vocab.json"),
        folder.resolve("vocab.json"),
        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\nt h e\n");
    assertThatThrownBy(() -> Tokenizer.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("t h e");
  }

  @Test
  void refusesScaledPositions() throws IOException {
    String config = Files.readString(CHECKPOINT.resolve("text_encoder/config.json"));
    Files.writeString(folder.resolve("config.json"), config.replace("\"default\"", "\"llama3\""));
    assertThatThrownBy(() -> llama(folder, DType.FLOAT32))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("rope_parameters");
  }
}
