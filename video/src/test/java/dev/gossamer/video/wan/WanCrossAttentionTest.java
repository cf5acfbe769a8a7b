package dev.gossamer.video.wan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class WanCrossAttentionTest {
  private final Path folder = Golden.path("/goldens/wan_pipeline/checkpoint/transformer");
  private final WanTransformerConfig config =
      WanTransformerConfig.of(ModelConfig.read(folder.resolve("config.json")));

  private WanCrossAttention layer(Scope scope, DType dtype) {
    Parameters parameters =
        Parameters.load(TensorFiles.in(folder), dtype, Device.CPU, scope, name -> false);
    return WanCrossAttention.of(parameters, "blocks.1.attn2", config);
  }

  @Test
  void regroupedProductsEqualHeadByHead() {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(3)) {
      WanCrossAttention layer = layer(scope, DType.FLOAT32);
      for (int keys : new int[] {1, 2, 9, 40}) {
        Tensor text = random.normal(1, keys, config.width());
        Tensor bias = random.normal(keys);
        Tensor key = layer.keyNorm().apply(layer.toKey().apply(text));
        Tensor value = layer.toValue().apply(text);
        Tensor rows = random.normal(2, 30, config.width());
        Tensor few = FewKeys.of(layer, key, value, bias).apply(layer, rows);
        Tensor many = ManyKeys.of(layer, key, value, bias).apply(layer, rows);
        assertThat(few.shape()).containsExactly(2, 30, config.width());
        assertThat(Golden.maxDifference(few, many)).as(keys + " keys").isLessThan(1e-5);
      }
    }
  }

  @Test
  void picksTheCheaperOfBoth() {
    try (Scope scope = Scope.open()) {
      WanCrossAttention layer = layer(scope, DType.BFLOAT16);
      assertThat(prepared(layer, 11)).isInstanceOf(FewKeys.class);
      assertThat(prepared(layer, 12)).isInstanceOf(ManyKeys.class);
    }
  }

  private TextAttention prepared(WanCrossAttention layer, int keys) {
    Tensor text = Tensor.zeros(DType.BFLOAT16, 1, keys, config.width());
    return layer.prepare(text, Tensor.zeros(DType.FLOAT32, keys));
  }
}
