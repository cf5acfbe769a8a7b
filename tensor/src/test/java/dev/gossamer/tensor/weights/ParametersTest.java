package dev.gossamer.tensor.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ParametersTest {
  @TempDir Path folder;
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private TensorFiles files(Map<String, Tensor> tensors) {
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors, Map.of());
    return TensorFiles.in(folder);
  }

  private TensorFiles twoLayers() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("one.weight", Tensor.full(1.5, DType.FLOAT16, 2, 3));
    tensors.put("one.bias", Tensor.full(2.5, DType.FLOAT32, 2));
    tensors.put("norm.weight", Tensor.full(3.5, DType.FLOAT32, 2));
    tensors.put("position", Tensor.arange(4, DType.INT64));
    return files(tensors);
  }

  private Parameters load(TensorFiles files, DType dtype) {
    return Parameters.load(files, dtype, Device.CPU, scope, name -> name.startsWith("norm"));
  }

  @Test
  void convertsToTheWantedTypeButForWhatIsKept() {
    Parameters parameters = load(twoLayers(), DType.BFLOAT16);
    Tensor weight = parameters.get("one.weight", 2, 3);
    assertThat(weight.dtype()).isEqualTo(DType.BFLOAT16);
    assertThat(weight.toFloats()).containsOnly(1.5f);
    assertThat(parameters.get("norm.weight", 2).dtype()).isEqualTo(DType.FLOAT32);
    assertThat(parameters.get("position", 4).dtype()).isEqualTo(DType.INT64);
    assertThat(parameters.get("one.bias", 2).toFloats()).containsOnly(2.5f);
    assertThat(parameters.count()).isEqualTo(14);
    assertThat(parameters.problems()).isEmpty();
    parameters.check();
  }

  @Test
  void givesItsTensorsToTheOwner() {
    long before = Tensor.live();
    try (Scope owner = Scope.detached()) {
      TensorFiles files = twoLayers();
      long written = Tensor.live();
      Parameters parameters =
          Parameters.load(files, DType.FLOAT32, Device.CPU, owner, name -> false);
      Tensor bias = parameters.get("one.bias", 2);
      assertThat(Tensor.live()).isEqualTo(written + 1);
      assertThat(bias.toFloats()).containsOnly(2.5f);
      owner.close();
      assertThat(Tensor.live()).isEqualTo(written);
    }
    scope.close();
    assertThat(Tensor.live()).isLessThanOrEqualTo(before);
  }

  @Test
  void listsMissingMisshapenAndUnexpectedTensors() {
    Parameters parameters = load(twoLayers(), DType.FLOAT32);
    assertThat(parameters.get("one.weight", 3, 2).shape()).containsExactly(3, 2);
    assertThat(parameters.get("two.weight", 5).shape()).containsExactly(5);
    parameters.get("one.bias", 2);
    parameters.ignore(name -> name.equals("position"));
    assertThat(parameters.problems())
        .containsExactly(
            "'one.weight' is [2, 3], expected [3, 2]",
            "missing 'two.weight' [5]",
            "unexpected 'norm.weight' [2]");
    assertThatThrownBy(parameters::check)
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(folder.toString())
        .hasMessageContaining("missing 'two.weight' [5]; unexpected 'norm.weight' [2]")
        .hasMessageNotContaining("\n");
  }

  @Test
  void shortensALongListOfProblems() {
    Parameters parameters = load(twoLayers(), DType.FLOAT32);
    for (int i = 0; i < 100; i++) {
      parameters.get("blocks." + i, 1);
    }
    assertThatThrownBy(parameters::check)
        .hasMessageContaining("missing 'blocks.4' [1]; and 99 more")
        .hasMessageNotContaining("blocks.5'");
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void refusesWeightsThatAreNoNumbers(double value) {
    Tensor weight = Tensor.zeros(DType.FLOAT32, 100);
    weight.narrow(0, 57, 1).fill(value);
    Parameters parameters =
        load(files(Map.of("a", weight.to(DType.BFLOAT16), "b", weight)), DType.FLOAT32);
    for (String name : List.of("a", "b")) {
      assertThatThrownBy(() -> parameters.get(name, 100))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("Tensor '" + name + "' in " + folder + " holds NaN or infinite");
    }
  }

  @Test
  void refusesInfinitiesThatCancelOut() {
    Tensor weight = Tensor.zeros(DType.FLOAT32, 100);
    weight.narrow(0, 3, 1).fill(Double.POSITIVE_INFINITY);
    weight.narrow(0, 57, 1).fill(Double.NEGATIVE_INFINITY);
    Parameters parameters = load(files(Map.of("a", weight)), DType.FLOAT32);
    assertThatThrownBy(() -> parameters.get("a", 100))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("Tensor 'a' in " + folder + " holds NaN or infinite");
  }

  @Test
  void takesNumbersWhoseSumIsTooLargeForTheirType() {
    Tensor weight = Tensor.full(60000, DType.FLOAT16, 100);
    Parameters parameters = load(files(Map.of("a", weight)), DType.FLOAT32);
    assertThat(weight.sum().item()).isInfinite();
    assertThat(parameters.get("a", 100).toFloats()).containsOnly(60000f);
  }

  @Test
  void inspectionComparesShapesWithoutReading() {
    Tensor broken = Tensor.full(Double.NaN, DType.FLOAT32, 3);
    TensorFiles files = files(Map.of("a", broken));
    Parameters parameters = Parameters.inspect(files, scope);
    assertThat(parameters.get("a", 3).toFloats()).containsOnly(0);
    Tensor huge = parameters.get("huge", 1 << 30, 1 << 30);
    assertThat(huge.shape()).containsExactly(1 << 30, 1 << 30);
    assertThat(parameters.has("a")).isTrue();
    assertThat(parameters.count()).isEqualTo(3 + (1L << 60));
    assertThat(parameters.problems()).containsExactly("missing 'huge' [1073741824, 1073741824]");
  }

  @Test
  void outlineNotesWhatIsAskedAndNeedsNoFiles() {
    Parameters parameters = Parameters.outline(scope);
    assertThat(parameters.get("b", 2, 3).shape()).containsExactly(2, 3);
    parameters.get("a", 1 << 30, 1 << 30);
    assertThat(parameters.asked().keySet()).containsExactly("b", "a");
    assertThat(parameters.asked()).containsEntry("b", List.of(2L, 3L));
    assertThat(parameters.has("a")).isFalse();
    assertThat(parameters.problems()).isEmpty();
    parameters.check();
  }

  @Test
  void keepsMappedWeightsReadableWhenNobodyElseHoldsTheFile() {
    Tensor weight = load(twoLayers(), DType.FLOAT32).get("one.bias", 2);
    System.gc();
    assertThat(weight.toFloats()).containsOnly(2.5f);
  }
}
