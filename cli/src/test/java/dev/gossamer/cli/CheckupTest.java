package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckupTest {
  @TempDir Path temp;

  @Test
  void aMachineWithoutACardIsFine() {
    List<Finding> findings = Checkup.cuda(new CudaSetup(false, false, List.of("libcudart.so.13")));
    assertThat(findings)
        .singleElement()
        .extracting(Finding::verdict)
        .isEqualTo(Finding.Verdict.GOOD);
  }

  @Test
  void eachMissingLibraryOfACardHasItsRemedy() {
    List<Finding> findings =
        Checkup.cuda(new CudaSetup(true, false, List.of("libcudart.so.13", "libcudnn.so.9")));
    assertThat(findings)
        .extracting(Finding::toString)
        .anyMatch(line -> line.contains("no libcuda.so.1. Install the NVIDIA driver"))
        .anyMatch(line -> line.contains("no libcudart.so.13. Install the CUDA 13 toolkit"))
        .anyMatch(line -> line.contains("no libcudnn.so.9. Install cuDNN 9"));
    assertThat(Finding.exitCode(findings)).isZero();
  }

  @Test
  void ncclIsFoundOrNamesWhatItLacks() {
    CudaSetup none = new CudaSetup(false, false, List.of("libnccl.so.2"));
    CudaSetup card = new CudaSetup(true, true, List.of());
    Runnable fails =
        () -> {
          throw new EnvironmentException("NCCL cannot", "Install it");
        };
    assertThat(Checkup.nccl(none, fails).verdict()).isEqualTo(Finding.Verdict.GOOD);
    assertThat(Checkup.nccl(card, () -> {}).found()).startsWith("found");
    assertThat(Checkup.nccl(card, fails).toString()).contains("note", "NCCL cannot. Install it");
  }

  @Test
  void aCacheThatCannotBeWrittenIsBad() throws IOException {
    Path file = Files.createFile(temp.resolve("file"));
    Finding finding = Checkup.cache(file.resolve("cache"));
    assertThat(finding.verdict()).isEqualTo(Finding.Verdict.BAD);
    assertThat(Finding.exitCode(List.of(finding))).isEqualTo(4);
    assertThat(Checkup.cache(temp.resolve("new")).verdict()).isEqualTo(Finding.Verdict.GOOD);
  }
}
