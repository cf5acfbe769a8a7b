package dev.gossamer.tensor.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.CompiledKernels;
import dev.gossamer.tensor.cuda.KernelSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowKernelsTest {
  @TempDir Path temp;

  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  @ParameterizedTest
  @CsvSource({
    "1536, BFLOAT16, sm_80",
    "1920, FLOAT16, sm_90a",
    "5120, BFLOAT16, sm_90a",
    "8192, FLOAT16, sm_80",
    "64, BFLOAT16, sm_90a"
  })
  @Tag("slow")
  void compiles(long width, DType dtype, String architecture)
      throws IOException, InterruptedException {
    KernelSource source = KernelSource.of(RowKernels.class, "rows.cu");
    byte[] image =
        CompiledKernels.image(temp, source, architecture, RowKernels.options(width, dtype));
    assertThat(image).startsWith(0x7f, 'E', 'L', 'F');
    assertThat(new String(image, StandardCharsets.ISO_8859_1))
        .contains("add_layer_norm", "project_heads_64", "project_heads_128");
  }

  @Test
  void areForCardsInSixteenBits() {
    Device card = Device.of("cuda");
    assertThat(RowKernels.wanted(card, DType.BFLOAT16)).isTrue();
    assertThat(RowKernels.wanted(card, DType.FLOAT16)).isTrue();
    assertThat(RowKernels.wanted(card, DType.FLOAT32)).isFalse();
    assertThat(RowKernels.wanted(Device.CPU, DType.BFLOAT16)).isFalse();
    assertThat(RowKernels.of(low(1, 4, 64))).isEmpty();
  }

  @Test
  void canBeSwitchedOff() {
    System.setProperty(RowKernels.PROPERTY, "plain");
    try {
      assertThat(RowKernels.wanted(Device.of("cuda"), DType.BFLOAT16)).isFalse();
    } finally {
      System.clearProperty(RowKernels.PROPERTY);
    }
  }

  @Test
  void takeRowsOfOneBatchWithContiguousColumns() {
    assertThat(RowKernels.fits(low(1, 9, 64))).isTrue();
    assertThat(RowKernels.fits(low(1, 9, 64).narrow(1, 2, 5))).isTrue();
    assertThat(RowKernels.fits(low(1, 9, 128).narrow(2, 64, 64))).isTrue();
    assertThat(RowKernels.fits(low(2, 9, 64))).isFalse();
    assertThat(RowKernels.fits(low(9, 64))).isFalse();
    assertThat(RowKernels.fits(low(1, 0, 64))).isFalse();
    assertThat(RowKernels.fits(low(1, 9, 60))).isFalse();
    assertThat(RowKernels.fits(low(1, 9, 8200))).isFalse();
    assertThat(RowKernels.fits(low(1, 64, 9).transpose(1, 2))).isFalse();
    assertThat(RowKernels.fits(low(1, 9, 68).narrow(2, 0, 64))).isFalse();
    assertThat(RowKernels.fits(low(1, 9, 128).narrow(2, 4, 64))).isFalse();
  }

  @Test
  void fillHeadsOfSixtyFourOrTwiceThat() {
    assertThat(fits(2, 64, Optional.empty())).isTrue();
    assertThat(fits(1, 128, Optional.empty())).isTrue();
    assertThat(fits(4, 32, Optional.empty())).isFalse();
    assertThat(RowKernels.fits(low(1, 9, 128), Optional.empty(), low(1, 2, 9, 64))).isTrue();
    Tensor wide = Tensor.zeros(DType.FLOAT32, 1, 2, 9, 64);
    assertThat(RowKernels.fits(low(1, 9, 128), Optional.empty(), wide)).isFalse();
    Tensor turned = low(1, 2, 64, 9).transpose(2, 3);
    assertThat(RowKernels.fits(low(1, 9, 128), Optional.empty(), turned)).isFalse();
  }

  @Test
  void knowTheNormsOfTheFamilies() {
    assertThat(fits(2, 64, Optional.of(new RmsNorm(low(128), 1e-6)))).isTrue();
    assertThat(fits(2, 64, Optional.of(new RmsNorm(low(64), 1e-6)))).isTrue();
    assertThat(fits(2, 64, Optional.of(new LayerNorm(low(64), low(64), 1e-6)))).isTrue();
    assertThat(fits(2, 64, Optional.of(new LayerNorm(low(128), low(128), 1e-6)))).isFalse();
    assertThat(fits(2, 64, Optional.of(new RmsNorm(low(32), 1e-6)))).isFalse();
  }

  private boolean fits(long heads, long headDim, Optional<Norm> norm) {
    return RowKernels.fits(low(1, 9, heads * headDim), norm, low(1, heads, 9, headDim));
  }

  private static Tensor low(long... shape) {
    return Tensor.zeros(DType.BFLOAT16, shape);
  }
}
