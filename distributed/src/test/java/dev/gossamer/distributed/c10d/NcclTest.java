package dev.gossamer.distributed.c10d;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What NCCL asks of a machine; its exchanges need cards. */
class NcclTest {
  @Test
  void whatIsMissingIsNamedWithItsRemedy() {
    refused(new CudaSetup(false, false, List.of()), "there is no NVIDIA card. Use --backend gloo");
    refused(new CudaSetup(true, false, List.of()), "this machine has no driver for its NVIDIA");
    refused(
        new CudaSetup(true, true, List.of("libnccl.so.2")),
        "libnccl.so.2 is not installed. Install NCCL 2 for CUDA 13");
  }

  @Test
  void nativesWithoutNcclAreTold() {
    assumeFalse(CudaSetup.here().card(), "these natives may have it");
    refused(
        new CudaSetup(true, true, List.of()), "these natives of libtorch have none. Build with");
  }

  @Test
  void aWorldOfOneIsRefusedTooWithoutACard() {
    assumeFalse(CudaSetup.here().card(), "there is a card");
    Rendezvous alone = Rendezvous.of(Map.of(), Duration.ofSeconds(1));
    assertThatThrownBy(() -> Worlds.connect(alone, Backend.NCCL))
        .isInstanceOf(EnvironmentException.class);
  }

  @Test
  void backendsAreKnownByName() {
    assertThat(Backend.ofOption("NCCL")).isEqualTo(Backend.NCCL);
    assertThat(Backend.ofOption("gloo")).isEqualTo(Backend.GLOO);
    assertThatThrownBy(() -> Backend.ofOption("mpi"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("Unknown backend 'mpi'");
  }

  private static void refused(CudaSetup setup, String why) {
    assertThatThrownBy(() -> NcclGroup.require(setup))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("NCCL cannot carry the exchanges: " + why);
  }
}
