package dev.gossamer.tensor.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TensorFilesTest {
  @TempDir Path folder;

  /** A file that holds one number under the name. */
  private static void shard(Path file, String name, double value) {
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(file, Map.of(name, Tensor.full(value, DType.FLOAT32, 1)), Map.of());
    }
  }

  private void index(String stem, String json) throws IOException {
    Files.writeString(folder.resolve(stem + ".safetensors.index.json"), json);
  }

  private double value(String name) {
    try (Scope scope = Scope.open()) {
      return TensorFiles.in(folder).tensor(name).item();
    }
  }

  private void assertRefused(String... reasons) {
    assertThatThrownBy(() -> TensorFiles.in(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContainingAll(reasons)
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model.safetensors",
        "diffusion_pytorch_model.safetensors",
        "diffusion_pytorch_model.fp16.safetensors",
        "model.bf16.safetensors"
      })
  void findsASingleFileWithOrWithoutVariant(String name) {
    shard(folder.resolve(name), "a", 5);
    assertThat(value("a")).isEqualTo(5);
    assertThat(TensorFiles.in(folder).files()).hasSize(1);
  }

  @Test
  void readsShardsByTheirIndex() throws IOException {
    shard(folder.resolve("model-00001-of-00002.safetensors"), "a", 1);
    shard(folder.resolve("model-00002-of-00002.safetensors"), "b", 2);
    index(
        "model",
        """
        {"metadata": {"total_size": 8},
         "weight_map": {"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}}
        """);
    TensorFiles files = TensorFiles.in(folder);
    assertThat(files.files()).hasSize(2);
    assertThat(files.entries().keySet()).containsExactly("a", "b");
    assertThat(files.has("a")).isTrue();
    assertThat(files.has("c")).isFalse();
    assertThat(value("a")).isEqualTo(1);
    assertThat(value("b")).isEqualTo(2);
  }

  @Test
  void readsTheIndexOfAVariant() throws IOException {
    shard(folder.resolve("model.fp16-00001-of-00001.safetensors"), "a", 3);
    Files.writeString(
        folder.resolve("model.safetensors.index.fp16.json"),
        "{\"weight_map\": {\"a\": \"model.fp16-00001-of-00001.safetensors\"}}");
    assertThat(value("a")).isEqualTo(3);
  }

  @Test
  void prefersTheUnshardedFile() throws IOException {
    shard(folder.resolve("model.safetensors"), "a", 1);
    shard(folder.resolve("model-00001-of-00001.safetensors"), "a", 2);
    index("model", "{\"weight_map\": {\"a\": \"model-00001-of-00001.safetensors\"}}");
    assertThat(value("a")).isEqualTo(1);
  }

  @Test
  void readsARelativeFolder() throws IOException {
    shard(folder.resolve("model-00001-of-00001.safetensors"), "a", 2);
    index("model", "{\"weight_map\": {\"a\": \"model-00001-of-00001.safetensors\"}}");
    Path here = Path.of("").toAbsolutePath();
    Path relative = here.relativize(folder.toAbsolutePath()).resolve(".");
    assertThat(TensorFiles.in(relative).has("a")).isTrue();
  }

  @Test
  void saysWhereItFoundNoWeights() {
    assertRefused("No weights in " + folder);
    assertThatThrownBy(() -> TensorFiles.in(folder.resolve("none")))
        .isInstanceOf(BadInputException.class);
  }

  @Test
  void namesAMissingShard() throws IOException {
    index("model", "{\"weight_map\": {\"a\": \"model-00001-of-00001.safetensors\"}}");
    assertRefused("model-00001-of-00001.safetensors", "no such file");
  }

  @Test
  void namesATensorThatItsShardLacks() throws IOException {
    shard(folder.resolve("one.safetensors"), "a", 1);
    index("model", "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"one.safetensors\"}}");
    assertRefused("one.safetensors lacks the tensor 'b'");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../outside.safetensors",
        "sub/inside.safetensors",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\\u0000b",
        "../../x/../y.safetensors"
      })
  void refusesShardsOutsideOfTheFolder(String name) throws IOException {
    index("model", "{\"weight_map\": {\"a\": \"" + name + "\"}}");
    assertRefused("outside of its folder");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "[]", "{}", "{\"weight_map\": []}", "{\"weight_map\": {}}", "3"})
  void refusesAnIndexWithoutWeightMap(String json) throws IOException {
    index("model", json);
    assertRefused("it has no weight_map");
  }

  @Test
  void refusesAnIndexThatIsNoJson() throws IOException {
    index("model", "{\"weight_map\": ");
    assertRefused("not valid JSON");
  }

  @ParameterizedTest
  @ValueSource(strings = {"3", "null", "[\"one.safetensors\"]", "{}"})
  void refusesShardNamesThatAreNoText(String value) throws IOException {
    shard(folder.resolve("one.safetensors"), "a", 1);
    index("model", "{\"weight_map\": {\"a\": " + value + "}}");
    assertRefused("Cannot");
  }

  @Test
  void seesItemsOfAStackAsTensorsOfTheirOwn() {
    Path file = folder.resolve("model.safetensors");
    try (Scope scope = Scope.open()) {
      float[] numbers = new float[24];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = i;
      }
      SafetensorsWriter.write(file, Map.of("all", Tensor.of(numbers, 3, 4, 2)), Map.of());
      TensorFiles files =
          TensorFiles.in(folder)
              .renamed(
                  Map.of(
                      "one", StoredAs.ofStack("all", 1, List.of()),
                      "lower", StoredAs.ofStack("all", 2, List.of(new StoredAs.Rows(2, 2)))));
      assertThat(files.entries().keySet()).containsExactly("lower", "one");
      assertThat(files.entries().get("one").shape()).containsExactly(4L, 2L);
      assertThat(files.entries().get("one").bytes()).isEqualTo(32);
      assertThat(files.entries().get("lower").shape()).containsExactly(2L, 2L);
      assertThat(files.entries().get("lower").bytes()).isEqualTo(16);
      assertThat(files.tensor("one").toDoubles()).startsWith(8, 9).hasSize(8);
      assertThat(files.tensor("lower").toDoubles()).containsExactly(20, 21, 22, 23);
    }
  }

  @Test
  void namesATensorThatIsNowhere() {
    shard(folder.resolve("model.safetensors"), "a", 1);
    assertThatThrownBy(() -> value("b"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("No tensor 'b' in " + folder);
  }
}
