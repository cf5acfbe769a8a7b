package dev.gossamer.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaSetupTest {
  @TempDir Path root;

  @Test
  void aPlainMachineHasNothing() {
    CudaSetup setup = CudaSetup.in(root, List.of());
    assertThat(setup.card()).isFalse();
    assertThat(setup.driver()).isFalse();
    assertThat(setup.missing()).contains("libcudart.so.13", "libcudnn.so.9", "libnccl.so.2");
  }

  @Test
  void findsCardDriverAndLibrariesWhereverTheyLie() throws IOException {
    file("dev/nvidia0", "");
    file("usr/lib/x86_64-linux-gnu/libcuda.so.1", "");
    file("opt/cuda/libcudart.so.13", "");
    file("etc/ld.so.cache", "head\0libcudnn.so.9\0/usr/lib/libcudnn.so.9\0libnccl.so.22\0");
    CudaSetup setup = CudaSetup.in(root, List.of("/opt/cuda"));
    assertThat(setup.card()).isTrue();
    assertThat(setup.driver()).isTrue();
    assertThat(setup.missing())
        .doesNotContain("libcudart.so.13", "libcudnn.so.9")
        .contains("libnccl.so.2", "libnvrtc.so.13");
  }

  private void file(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
