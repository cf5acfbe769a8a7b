package dev.gossamer.distributed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.RankEnvironment.Origin;
import dev.gossamer.tensor.failure.UsageException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RankEnvironmentTest {
  private static final String TORCHRUN =
      "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4 GROUP_RANK=1"
          + " MASTER_ADDR=node0 MASTER_PORT=29400 TORCHELASTIC_USE_AGENT_STORE=True";
  private static final String SLURM =
      "SLURM_JOB_ID=4711 SLURM_STEP_ID=2 SLURM_PROCID=5 SLURM_NTASKS=7 SLURM_LOCALID=1"
          + " SLURM_NODEID=2 SLURM_TASKS_PER_NODE=2(x3),1 SLURM_JOB_NODELIST=node[07-09,12],gpu1";
  private static final String OPEN_MPI =
      "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1"
          + " OMPI_COMM_WORLD_LOCAL_SIZE=2 MASTER_ADDR=node0";
  private static final String KUBERNETES = "JOB_COMPLETION_INDEX=2 WORLD_SIZE=4 MASTER_ADDR=moe-0";

  @Test
  void nothingIsOneRank() {
    assertThat(of("")).isEqualTo(new RankEnvironment(0, 1, 0, 1, 0, "127.0.0.1", 0, Origin.ALONE));
  }

  @Test
  void torchrun() {
    assertThat(of(TORCHRUN))
        .isEqualTo(new RankEnvironment(5, 8, 1, 4, 1, "node0", 29400, Origin.TORCHRUN));
  }

  @Test
  void theSameVariablesWithoutAnAgentWhoseStoreIsTaken() {
    assertThat(of(TORCHRUN + " TORCHELASTIC_USE_AGENT_STORE=False").origin())
        .isEqualTo(Origin.VARIABLES);
  }

  @Test
  void aRankWithoutAPlaceOnItsMachineIsOnAMachineOfItsOwn() {
    assertThat(of("RANK=1 WORLD_SIZE=2 MASTER_ADDR=pod-0 MASTER_PORT=23456"))
        .isEqualTo(new RankEnvironment(1, 2, 0, 1, 1, "pod-0", 23456, Origin.VARIABLES));
  }

  @Test
  void slurmListsItsTasksByNode() {
    assertThat(of(SLURM))
        .isEqualTo(new RankEnvironment(5, 7, 1, 2, 2, "node07", 24713, Origin.SLURM));
    assertThat(of(SLURM + " SLURM_PROCID=6 SLURM_LOCALID=0 SLURM_NODEID=3").localSize())
        .isEqualTo(1);
  }

  @Test
  void whatIsSaidOfASlurmStepComesBeforeItsJob() {
    RankEnvironment step =
        of(
            SLURM
                + " SLURM_PROCID=1 SLURM_NODEID=0 SLURM_STEP_NUM_TASKS=2"
                + " SLURM_STEP_TASKS_PER_NODE=2 SLURM_STEP_NODELIST=node12");
    assertThat(step).isEqualTo(new RankEnvironment(1, 2, 1, 2, 0, "node12", 24713, Origin.SLURM));
  }

  @Test
  void theBatchScriptOfSlurmIsNoRank() {
    String script = SLURM.replace("SLURM_STEP_ID=2 ", "").replace("PROCID=5", "PROCID=0");
    assertThat(of(script + " ENVIRONMENT=BATCH").origin()).isEqualTo(Origin.ALONE);
    assertThat(of(SLURM + " ENVIRONMENT=BATCH").origin()).isEqualTo(Origin.SLURM);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "n1 n1",
        "n1,n2 n1",
        "gpu[3-4] gpu3",
        "gpu[003,7] gpu003",
        "r[1-2]n[08-09],x r1n08",
        "a-b.example.org a-b.example.org"
      })
  void slurmFirstHost(String list, String first) {
    assertThat(SlurmLists.firstHost("SLURM_JOB_NODELIST", list)).isEqualTo(first);
  }

  @Test
  void openMpiOnTwoMachines() {
    assertThat(of(OPEN_MPI))
        .isEqualTo(new RankEnvironment(3, 4, 1, 2, 1, "node0", 29500, Origin.OPEN_MPI));
  }

  @Test
  void openMpiOnOneMachineNeedsNoAddress() {
    String one =
        OPEN_MPI.replace(" MASTER_ADDR=node0", "").replace("LOCAL_RANK=1", "LOCAL_RANK=3")
            + " OMPI_COMM_WORLD_LOCAL_SIZE=4";
    RankEnvironment first = of(one + " PMIX_NAMESPACE=host-1@1");
    RankEnvironment other = of(one + " PMIX_NAMESPACE=host-2@1");
    assertThat(first.masterAddress()).isEqualTo("127.0.0.1");
    assertThat(first.masterPort()).isBetween(20000, 29999).isNotEqualTo(other.masterPort());
  }

  @Test
  void hydra() {
    assertThat(of("PMI_RANK=1 PMI_SIZE=2 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=2 MASTER_PORT=5000"))
        .isEqualTo(new RankEnvironment(1, 2, 1, 2, 0, "127.0.0.1", 5000, Origin.HYDRA));
  }

  @Test
  void anIndexedJobOfKubernetesHasOneRankPerPod() {
    assertThat(of(KUBERNETES))
        .isEqualTo(new RankEnvironment(2, 4, 0, 1, 2, "moe-0", 29500, Origin.KUBERNETES));
    assertThat(of("JOB_COMPLETION_INDEX=2 WORLD_SIZE=1")).isEqualTo(RankEnvironment.alone());
  }

  @Test
  void theNearestStarterCounts() {
    String slurm = SLURM + " ";
    assertThat(of(slurm + KUBERNETES.replace("WORLD_SIZE=4", "")).origin()).isEqualTo(Origin.SLURM);
    assertThat(of(slurm + OPEN_MPI).origin()).isEqualTo(Origin.OPEN_MPI);
    assertThat(of(slurm + OPEN_MPI + " " + TORCHRUN).origin()).isEqualTo(Origin.TORCHRUN);
  }

  @Test
  void masterVariablesSayWhereToMeetUnderSlurmToo() {
    RankEnvironment rank = of(SLURM + " MASTER_ADDR=ib0 MASTER_PORT=1234");
    assertThat(rank.masterAddress() + ":" + rank.masterPort()).isEqualTo("ib0:1234");
  }

  @Test
  void blankIsNotSet() {
    Map<String, String> variables = variables(SLURM);
    variables.put("RANK", " ");
    variables.put("MASTER_PORT", "");
    assertThat(RankEnvironment.of(variables).origin()).isEqualTo(Origin.SLURM);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
  void aMissingVariableOfTorchrunIsNamed(String name) {
    refuses(TORCHRUN + " " + name + "=", name + " is not set");
  }

  @ParameterizedTest
  @ValueSource(strings = {"SLURM_LOCALID", "SLURM_NODEID", "SLURM_TASKS_PER_NODE"})
  void aMissingVariableOfSlurmIsNamed(String name) {
    refuses(SLURM + " " + name + "=", name.replace("SLURM_TASKS", "TASKS"));
  }

  @Test
  void halfSetOrContradictoryVariablesAreRefused() {
    refuses("WORLD_SIZE=4", "WORLD_SIZE is 4, but RANK is not set");
    refuses("LOCAL_RANK=0", "LOCAL_RANK is 0, but RANK is not set");
    refuses(TORCHRUN + " RANK=8", "no rank 8 among 8");
    refuses(TORCHRUN + " RANK=-1", "RANK is '-1'");
    refuses(TORCHRUN + " RANK=two", "RANK is 'two'");
    refuses(TORCHRUN + " LOCAL_RANK=4", "no local rank 4 among 4");
    refuses(TORCHRUN + " MASTER_PORT=70000", "node0:70000");
    refuses(TORCHRUN + " LOCAL_WORLD_SIZE=9", "rank 1 of 9");
    refuses(SLURM + " WORLD_SIZE=8", "WORLD_SIZE is 8, but SLURM_NTASKS is 7");
    refuses(SLURM + " SLURM_TASKS_PER_NODE=2(x3)", "6 tasks in all, but the step has 7");
    refuses(SLURM + " SLURM_TASKS_PER_NODE=2x3", "expected a list like 2(x3),1");
    refuses(SLURM + " SLURM_NODEID=4", "SLURM_NODEID is 4");
    refuses(SLURM + " SLURM_JOB_NODELIST=node[", "SLURM_JOB_NODELIST");
    refuses(OPEN_MPI + " MASTER_ADDR=", "MASTER_ADDR is not set");
    refuses(OPEN_MPI + " OMPI_COMM_WORLD_LOCAL_RANK=0", "set GROUP_RANK");
    refuses("JOB_COMPLETION_INDEX=1", "WORLD_SIZE is not set");
    refuses(KUBERNETES + " MASTER_ADDR=", "MASTER_ADDR is not set");
    refuses(KUBERNETES + " JOB_COMPLETION_INDEX=4", "no rank 4 among 4");
  }

  private static void refuses(String variables, String what) {
    assertThatThrownBy(() -> of(variables))
        .as(variables)
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(what)
        .message()
        .doesNotContain("\n")
        .contains(". ");
  }

  private static RankEnvironment of(String variables) {
    return RankEnvironment.of(variables(variables));
  }

  /** Later ones count. */
  private static Map<String, String> variables(String text) {
    Map<String, String> variables = new HashMap<>();
    for (String pair : text.isEmpty() ? new String[0] : text.strip().split(" +")) {
      String[] sides = pair.split("=", 2);
      variables.put(sides[0], sides[1]);
    }
    return variables;
  }
}
