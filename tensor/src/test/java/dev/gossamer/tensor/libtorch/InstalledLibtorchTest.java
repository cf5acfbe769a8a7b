package dev.gossamer.tensor.libtorch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@EnabledOnOs(value = OS.LINUX, disabledReason = "there is no libtorch_cpu.so elsewhere")
class InstalledLibtorchTest {
  @ParameterizedTest
  @ValueSource(strings = {"2.10.0", "2.11.0", "2.11.1"})
  void testedVersionsAreTaken(String version) {
    assertThatCode(() -> Libtorch.refuseUntested(version)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"2.9.1", "2.12.0", "2.13.0", "2.1.2", "1.13.1", "of unknown version"})
  void othersAreRefused(String version) {
    assertThatThrownBy(() -> Libtorch.refuseUntested(version))
        .isInstanceOf(EnvironmentException.class)
        .hasMessage(
            "Cannot use libtorch "
                + version
                + ": these bindings are for 2.10 and 2.11. Use PyTorch 2.10 or 2.11, or the"
                + " libtorch of the jars");
  }

  @Test
  void aFolderWithoutLibtorchIsRefused(@TempDir Path empty) {
    assertThatThrownBy(() -> new InstalledLibtorch(empty).load())
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining(empty.toString())
        .hasMessageContaining("GOSSAMER_LIBTORCH");
  }

  @Test
  void computesWithTheOneThatIsNamed() throws IOException, InterruptedException {
    assertThat(
            OwnProcess.run(OnePlusTwo.class, "-D" + InstalledLibtorch.PROPERTY + "=" + unpacked()))
        .isEqualTo("JavaCPP loads: false, 3.0, OpenBLAS: -1");
  }

  /** The jar's own libtorch, as JavaCPP unpacks it: as good as an installed one. */
  private static Path unpacked() {
    return Path.of(Loader.load(torch.class)).getParent();
  }

  /** A process of its own, as a libtorch cannot be exchanged. */
  static final class OnePlusTwo {
    private OnePlusTwo() {}

    public static void main(String[] args) {
      try (TorchTensor one = TorchTensor.full(new long[] {1}, 1, floats(), "cpu");
          TorchTensor two = TorchTensor.full(new long[] {1}, 2, floats(), "cpu");
          TorchTensor three = one.add(two)) {
        System.out.println(
            "JavaCPP loads: "
                + Loader.isLoadLibraries()
                + ", "
                + three.item()
                + ", OpenBLAS: "
                + Libtorch.facts().blasThreads());
      }
    }

    private static int floats() {
      return torch.ScalarType.Float.value;
    }
  }
}
