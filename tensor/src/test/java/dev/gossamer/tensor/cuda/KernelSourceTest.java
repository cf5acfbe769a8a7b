package dev.gossamer.tensor.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelSourceTest {
  private static final KernelSource SCALE = KernelSource.of(KernelSourceTest.class, "scale.cu");

  @Test
  void whatLiesBesideIsTakenInOnce() {
    assertThat(SCALE.code()).containsOnlyOnce("float scaled(float x").doesNotContain("#include");
  }

  @Test
  void aMissingResourceIsNamed() {
    assertThatThrownBy(() -> KernelSource.of(KernelSourceTest.class, "none.cu"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("none.cu");
  }

  @Test
  void optionsSayArchitectureAndKeepWhatIsAsked() {
    assertThat(SCALE.options("sm_86", List.of("-DA=1")))
        .contains("--gpu-architecture=sm_86", "-DA=1")
        .noneMatch(option -> option.startsWith("--include-path"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90a"})
  void nvrtcMakesMachineCodeWithoutACard(String architecture) {
    needNvrtc();
    byte[] image = SCALE.compile(architecture, List.of());
    assertThat(image).startsWith(0x7f, 'E', 'L', 'F');
  }

  @Test
  void anErrorInTheSourceIsOneLineThatNamesIt() {
    needNvrtc();
    assertThatThrownBy(
            () ->
                new KernelSource("bad.cu", "__global__ void f() { x; }")
                    .compile("sm_80", List.of()))
        .isInstanceOf(GossamerException.class)
        .hasMessageContaining("bad.cu(1): error")
        .message()
        .doesNotContain("\n");
  }

  @Test
  void aKernelRunsOnTheCard() {
    assumeTrue(!Card.all().isEmpty(), "there is no card");
    Card card = Card.of(Device.of("cuda"));
    try (Scope scope = Scope.open()) {
      Tensor x = Tensor.full(3, DType.FLOAT32, Device.of("cuda"), 1000);
      Kernels.of(card, SCALE, List.of()).launch("scale", Grid.of(4, 256), x, 2f, 1000);
      assertThat(x.sum().item()).isEqualTo(6000);
    }
  }

  private static void needNvrtc() {
    try {
      KernelSource.compilerVersion();
    } catch (EnvironmentException e) {
      abort("NVRTC is not here: " + e.getMessage());
    }
  }
}
