package dev.gossamer.distributed.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.RankEnvironment;
import dev.gossamer.distributed.RankEnvironment.Origin;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodesTest {
  @Test
  void aRankReadsBackWhatItsLauncherWrote() {
    Nodes nodes = new Nodes(4, 3, 2, "head", 4000);
    assertThat(RankEnvironment.of(nodes.variables(1)))
        .isEqualTo(new RankEnvironment(9, 12, 1, 4, 2, "head", 4000, Origin.VARIABLES));
  }

  @Test
  void aLauncherPerNodeTakesItsPlaceFromSlurmAndOthers() {
    RankEnvironment launcher = new RankEnvironment(2, 3, 0, 1, 2, "head", 24000, Origin.SLURM);
    assertThat(Nodes.of(8, launcher)).isEqualTo(new Nodes(8, 3, 2, "head", 24000));
    assertThat(Nodes.of(8, RankEnvironment.alone())).isEqualTo(Nodes.one(8));
  }

  @Test
  void severalLaunchersOnOneNodeAndLaunchersThatAreRanksAreRefused() {
    assertThatThrownBy(
            () -> Nodes.of(8, new RankEnvironment(2, 4, 0, 2, 1, "head", 24000, Origin.SLURM)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--ntasks-per-node=1");
    assertThatThrownBy(
            () -> Nodes.of(8, new RankEnvironment(1, 2, 1, 2, 0, "head", 24000, Origin.VARIABLES)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("already rank 1 of 2");
  }

  @Test
  void impossibleNumbersAreRefused() {
    assertThatThrownBy(() -> Nodes.one(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Nodes(1, 2, 2, "head", 1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Nodes(1, 2, 0, "head", 0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new Nodes(1, 1, 0, "head", 65536)).isInstanceOf(UsageException.class);
  }

  @Test
  void theMasterIsAMachineAndAPort() {
    assertThat(Nodes.one(2).withMaster("node0:123").on(3, 1))
        .isEqualTo(new Nodes(2, 3, 1, "node0", 123));
    assertThat(Nodes.one(2).withMaster("[fe80::1]:123").masterAddress()).isEqualTo("fe80::1");
    for (String wrong : new String[] {"node0", "node0:", ":1", "node0:0", "node0:99999", "a:b"}) {
      assertThatThrownBy(() -> Nodes.one(2).withMaster(wrong))
          .as(wrong)
          .isInstanceOf(UsageException.class);
    }
  }

  @Test
  void cardsAreDealtOut(@TempDir Path devices) throws IOException {
    assertThat(Cards.of(Map.of(Cards.VARIABLE, "3"), devices).variables(0)).isEmpty();
    Files.createFile(devices.resolve("nvidia0"));
    Files.createFile(devices.resolve("nvidia1"));
    Files.createFile(devices.resolve("nvidiactl"));
    assertThat(Cards.of(Map.of(), devices).variables(3)).containsEntry(Cards.VARIABLE, "1");
    assertThat(Cards.of(Map.of(Cards.VARIABLE, "5, GPU-ab"), devices).variables(1))
        .containsEntry(Cards.VARIABLE, "GPU-ab");
    assertThat(Cards.of(Map.of(Cards.VARIABLE, ""), devices).variables(1)).isEmpty();
  }
}
