package dev.gossamer.attention.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.cuda.CompiledKernels;
import dev.gossamer.tensor.cuda.KernelSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every kernel compiles for the cards that it is for, wherever nvcc or NVRTC is. */
class KernelFilesTest {
  @TempDir Path temp;

  @ParameterizedTest
  @CsvSource({
    "kmeans.cu, sm_80",
    "select.cu, sm_80",
    "attention.cu, sm_80",
    "kmeans.cu, sm_90a",
    "select.cu, sm_90a",
    "kmeans_sm90.cu, sm_90a",
    "attention_sm90.cu, sm_90a"
  })
  @Tag("slow")
  void compiles(String file, String architecture) throws IOException, InterruptedException {
    assumeTrue(ClusterKernels.class.getResource(file) != null, "there is no " + file);
    KernelSource source = KernelSource.of(ClusterKernels.class, file);
    for (int headDim : new int[] {64, 128}) {
      List<String> options = List.of("-DHEAD_DIM=" + headDim, "-DELEMENT_FP16=0");
      assertThat(CompiledKernels.image(temp, source, architecture, options))
          .startsWith(0x7f, 'E', 'L', 'F');
    }
  }

  @Test
  void whatFitsNoKernelIsSaidInWords() {
    Card turing = new Card(0, "Tesla T4", 75, 40, 65_536, 16L << 30, 13_000);
    Card ada = new Card(0, "NVIDIA L4", 89, 58, 101_376, 24L << 30, 13_000);
    assertThat(ClusterKernels.lack(turing, 64, DType.BFLOAT16))
        .contains("Tesla T4 has compute capability 7.5, below 8.0");
    assertThat(ClusterKernels.lack(ada, 96, DType.BFLOAT16)).isPresent();
    assertThat(ClusterKernels.lack(ada, 64, DType.FLOAT32)).isPresent();
    assertThat(ClusterKernels.lack(ada, 64, DType.FLOAT16)).isEmpty();
  }
}
