package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.nn.LayerRow.Stay;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LayerRowTest {
  @TempDir Path folder;

  @BeforeEach
  void write() {
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(
          folder.resolve("model.safetensors"),
          Map.of(
              "layers.0.weight", Tensor.full(2, DType.FLOAT32, 3),
              "layers.1.weight", Tensor.full(3, DType.FLOAT32, 3),
              "rest", Tensor.full(1, DType.FLOAT32, 1)),
          Map.of());
    }
  }

  private Parameters parameters(Scope owner) {
    return Parameters.load(
        TensorFiles.in(folder),
        DType.BFLOAT16,
        Device.CPU,
        owner,
        name -> name.startsWith("layers.1."));
  }

  private static LayerRow<Tensor> row(Stay stay, int count, Parameters parameters) {
    return LayerRow.of(
        stay, count, parameters, (from, index) -> from.get("layers." + index + ".weight", 3));
  }

  @ParameterizedTest
  @EnumSource(Stay.class)
  void layersRunOverTheirOwnWeightsInTheirOwnTypes(Stay stay) {
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached()) {
      LayerRow<Tensor> row = row(stay, 2, parameters(owner));
      assertThat(row.count()).isEqualTo(2);
      assertThat(row.<Double>with(0, layer -> layer.sum().item())).isEqualTo(6);
      assertThat(row.<Double>with(1, layer -> layer.sum().item())).isEqualTo(9);
      assertThat(row.<DType>with(0, Tensor::dtype)).isEqualTo(DType.BFLOAT16);
      assertThat(row.<DType>with(1, Tensor::dtype)).isEqualTo(DType.FLOAT32);
    }
  }

  @Test
  void passingLayersLeaveNothingBehind() {
    try (Scope owner = Scope.detached()) {
      LayerRow<Tensor> row = row(Stay.PASSING, 2, parameters(owner));
      long before = Tensor.live();
      Tensor[] kept = new Tensor[1];
      row.run(0, layer -> kept[0] = layer);
      assertThat(Tensor.live()).isEqualTo(before);
      assertThatThrownBy(() -> kept[0].dtype()).isInstanceOf(IllegalStateException.class);
    }
  }

  @ParameterizedTest
  @EnumSource(Stay.class)
  void whatIsMissingOrLeftOverIsKnownBeforeALayerRuns(Stay stay) {
    try (Scope owner = Scope.detached()) {
      Parameters parameters = parameters(owner);
      row(stay, 3, parameters);
      assertThatThrownBy(parameters::check)
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("missing 'layers.2.weight' [3]")
          .hasMessageContaining("unexpected 'rest'")
          .hasMessageNotContaining("layers.1");
    }
  }
}
