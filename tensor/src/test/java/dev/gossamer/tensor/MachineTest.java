package dev.gossamer.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineTest {
  @TempDir Path root;

  @Test
  void knowsThisMachine() {
    Machine machine = Machine.here();
    assertThat(machine.cores()).isPositive();
    assertThat(machine.availableBytes()).isBetween(1L, machine.memoryBytes());
    assertThat(machine.java()).startsWith(System.getProperty("java.version"));
  }

  @Test
  void backendUsesOneBlasThread() {
    assertThat(Machine.backend().blasThreads()).isEqualTo(1);
    assertThat(Machine.backend().version()).matches("\\d+\\.\\d+\\.\\d+.*");
  }

  @Test
  void availableIsTheMachinesOutsideOfAContainer() throws IOException {
    file("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    2000 kB\n");
    file("proc/self/cgroup", "0::/\n");
    file("sys/fs/cgroup/memory.max", "max\n");
    file("sys/fs/cgroup/memory.current", "1024\n");
    assertThat(new Machine.MemoryLimits(root).available()).hasValue(2000 << 10);
  }

  @Test
  void availableIsTheContainersWhereThatIsLess() throws IOException {
    file("proc/meminfo", "MemAvailable: 2000 kB\n");
    file("proc/self/cgroup", "0::/\n");
    file("sys/fs/cgroup/memory.max", "1000000\n");
    file("sys/fs/cgroup/memory.current", "900000\n");
    file("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 300000\n");
    assertThat(new Machine.MemoryLimits(root).available()).hasValue(400_000);
  }

  @Test
  void availableFollowsTheOlderControlGroupsToo() throws IOException {
    file("proc/meminfo", "MemAvailable: 2000 kB\n");
    file("proc/self/cgroup", "5:cpu:/other\n4:memory:/gone\n");
    file("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n");
    file("sys/fs/cgroup/memory/memory.usage_in_bytes", "1100000\n");
    assertThat(new Machine.MemoryLimits(root).available()).hasValue(0);
  }

  @Test
  void availableIsTheTightestOfNestedControlGroups() throws IOException {
    file("proc/meminfo", "MemAvailable: 2000 kB\n");
    file("proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    file("sys/fs/cgroup/slurm/job_7/memory.max", "500000\n");
    file("sys/fs/cgroup/slurm/job_7/memory.current", "100000\n");
    file("sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n");
    file("sys/fs/cgroup/slurm/job_7/step_0/memory.current", "100000\n");
    assertThat(new Machine.MemoryLimits(root).available()).hasValue(400_000);
  }

  @Test
  void availableIsUnknownWithoutProc() {
    assertThat(new Machine.MemoryLimits(root).available()).isEmpty();
  }

  private void file(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
