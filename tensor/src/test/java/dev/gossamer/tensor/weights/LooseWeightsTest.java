package dev.gossamer.tensor.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.StoredAs.Rows;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Weights under other names, of which several may be rows of one stored tensor. */
class LooseWeightsTest {
  private static final NameTable OTHERS =
      new NameTable()
          .with("\\.key\\.", ".both.", new Rows(2, 1))
          .with("\\.query\\.", ".both.", new Rows(0, 2))
          .with("^last\\.", "end.", new Rows(1, 1), new Rows(0, 1));

  @TempDir Path folder;

  private TensorFiles stored(Map<String, Tensor> tensors) {
    Path file = folder.resolve("part.safetensors");
    SafetensorsWriter.write(file, tensors, Map.of());
    return TensorFiles.of(file);
  }

  private static Tensor numbers(float... values) {
    return Tensor.of(values, values.length / 2, 2);
  }

  @Test
  void tensorsAreRowsOfWhatIsStored() {
    try (Scope scope = Scope.open()) {
      TensorFiles files =
          stored(
              Map.of(
                  "model.a.both.weight", numbers(1, 2, 3, 4, 5, 6),
                  "model.end.weight", numbers(7, 8, 9, 10),
                  "model.extra", numbers(0, 0)));
      LooseWeights weights = LooseWeights.find(files, "a.query.weight", OTHERS).orElseThrow();
      assertThat(weights.has("a.key.weight")).isTrue();
      assertThat(weights.size("a.key.weight", 0)).isEqualTo(3); // as it is stored
      assertThat(weights.rank("a.key.weight")).isEqualTo(2);
      assertThat(weights.rank("b")).isZero();
      TensorFiles own =
          weights.renamed(
              OTHERS,
              parameters -> {
                parameters.get("a.query.weight", 2, 2);
                parameters.get("a.key.weight", 1, 2);
                parameters.get("last.weight", 2, 2);
              });
      assertThat(own.tensor("a.query.weight").toFloats()).containsExactly(1, 2, 3, 4);
      assertThat(own.tensor("a.key.weight").toFloats()).containsExactly(5, 6);
      assertThat(own.tensor("last.weight").toFloats()).containsExactly(9, 10, 7, 8);
      assertThat(own.entries().keySet())
          .containsExactly("a.key.weight", "a.query.weight", "extra", "last.weight");
      assertThat(own.entries().get("a.key.weight").bytes()).isEqualTo(8);
      assertThat(own.without("extra"::equals).has("extra")).isFalse();
    }
  }

  @Test
  void theModelsOwnNamesComeFirst() {
    try (Scope scope = Scope.open()) {
      TensorFiles files = stored(Map.of("x.a.query.weight", numbers(1, 2)));
      LooseWeights weights = LooseWeights.find(files, "a.query.weight", OTHERS).orElseThrow();
      assertThat(weights.others()).isEmpty();
      assertThat(weights.renamed(OTHERS, parameters -> {}).entries())
          .containsOnlyKeys("a.query.weight");
      assertThat(LooseWeights.find(files, "b.query.weight", OTHERS)).isEqualTo(Optional.empty());
    }
  }

  @Test
  void productsThatAreStoredAsConvolutionsAreMatrices() {
    try (Scope scope = Scope.open()) {
      TensorFiles files =
          stored(
              Map.of(
                  "a", Tensor.of(new float[] {1, 2, 3, 4}, 2, 2, 1, 1, 1),
                  "b", Tensor.of(new float[] {1, 2}, 1, 1, 2),
                  "c", Tensor.of(new float[] {1}, 1, 1, 1)));
      TensorFiles flat = files.flattened(name -> !name.equals("c"));
      assertThat(flat.entries().get("a").shape()).containsExactly(2L, 2L);
      assertThat(flat.tensor("a").shape()).containsExactly(2, 2);
      assertThat(flat.tensor("a").toFloats()).containsExactly(1, 2, 3, 4);
      assertThat(flat.tensor("b").shape()).containsExactly(1, 1, 2);
      assertThat(flat.tensor("c").shape()).containsExactly(1, 1, 1);
    }
  }
}
