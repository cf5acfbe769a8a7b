package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.lm.checkpoint.Checkpoint;
import dev.gossamer.lm.checkpoint.CheckpointFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Training whose processes are killed at random moments, in steps, while saving, while starting,
 * and that goes on: in the end its weights are those of a run that nothing disturbed.
 */
@EnabledOnOs(OS.LINUX)
@Tag("slow")
@Timeout(900)
class KilledTrainingTest {
  private static final int STEPS = 40;
  private static final int KILLS = 4;
  private static final String TINY =
      " --preset tiny --batch 4 --micro-batch 2 --sequence 32 --model.hidden=16 --model.heads=2"
          + " --model.experts.latent=4 --checkpoint.every=1 --evaluation.windows=2 --no-chart"
          + " --evaluation.every=7 --threads 1 --resume --steps ";

  @TempDir private Path folder;
  private Process process;

  @AfterEach
  void end() {
    if (process != null) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  private void start(String line) throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                Gossamer.class.getName()));
    words.addAll(List.of(line.strip().split(" +")));
    process =
        new ProcessBuilder(words)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
            .start();
  }

  private Path log() {
    return folder.resolve("log");
  }

  private String read() throws IOException {
    return Files.readString(log());
  }

  private static long lastStep(Path out) {
    List<Path> all = CheckpointFolder.all(out.resolve("checkpoints"));
    return all.isEmpty()
        ? 0
        : Long.parseLong(all.get(all.size() - 1).getFileName().toString().substring(5));
  }

  /** Until the run has saved a further step, or has ended. */
  private void awaitProgress(Path out) throws InterruptedException {
    long before = lastStep(out);
    while (process.isAlive() && lastStep(out) == before) {
      process.waitFor(20, TimeUnit.MILLISECONDS);
    }
  }

  private static List<String> sums(Path out) {
    Path last = out.resolve("checkpoints").resolve(String.format("step-%08d", STEPS));
    return Checkpoint.open(last).manifest().files().stream()
        .map(file -> file.name() + " " + file.sha256())
        .sorted()
        .toList();
  }

  private void finish() throws IOException, InterruptedException {
    assertThat(process.waitFor(300, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(read()).isZero();
  }

  private void trainKilled(String starter, Path out, Random random, boolean ranks)
      throws IOException, InterruptedException {
    String line = starter + "train --out " + out + TINY + STEPS;
    for (int kill = 0; kill < KILLS; kill++) {
      start(line);
      awaitProgress(out);
      process.waitFor(random.nextInt(400), TimeUnit.MILLISECONDS);
      Optional<ProcessHandle> victim = ranks ? rank(random) : Optional.of(process.toHandle());
      victim.ifPresent(ProcessHandle::destroyForcibly);
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
    }
    start(line);
    finish();
  }

  private Optional<ProcessHandle> rank(Random random) {
    List<ProcessHandle> ranks =
        process
            .descendants()
            .filter(
                handle ->
                    handle
                        .info()
                        .arguments()
                        .map(arguments -> List.of(arguments).contains("train"))
                        .orElse(false))
            .toList();
    return ranks.isEmpty()
        ? Optional.empty()
        : Optional.of(ranks.get(random.nextInt(ranks.size())));
  }

  @Test
  void aKilledProcessGoesOnToTheSameWeights() throws Exception {
    Path undisturbed = folder.resolve("undisturbed");
    start("train --out " + undisturbed + TINY + STEPS);
    finish();
    Path killed = folder.resolve("killed");
    trainKilled("", killed, new Random(1), false);
    assertThat(sums(killed)).isEqualTo(sums(undisturbed));
    assertThat(read()).doesNotContain("damaged");
  }

  @Test
  void aKilledRankGoesOnToTheSameWeights() throws Exception {
    Path undisturbed = folder.resolve("undisturbed");
    start("launch --nproc 2 -- train --out " + undisturbed + TINY + STEPS);
    finish();
    Path killed = folder.resolve("killed");
    trainKilled("launch --nproc 2 -- ", killed, new Random(2), true);
    assertThat(sums(killed)).isEqualTo(sums(undisturbed));
    assertThat(read()).doesNotContain("damaged");
  }

  @Test
  void sigtermSavesBeforeItStops() throws Exception {
    Path out = folder.resolve("out");
    start("train --out " + out + TINY.replace("--checkpoint.every=1", "") + 100_000);
    while (process.isAlive() && !(Files.exists(log()) && read().contains("step 1/"))) {
      process.waitFor(50, TimeUnit.MILLISECONDS);
    }
    process.destroy();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(read()).isEqualTo(130);
    assertThat(read()).contains("all saved. Go on with --resume");
    assertThat(lastStep(out)).isPositive();
  }
}
