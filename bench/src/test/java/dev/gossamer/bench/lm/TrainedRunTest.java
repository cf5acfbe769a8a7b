package dev.gossamer.bench.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.gossamer.lm.train.TrainConfig;
import dev.gossamer.lm.train.TrainSettings;
import dev.gossamer.lm.train.TrainingRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Figures of a run of four steps, two sequences of 10 tokens each, that were written by hand. */
class TrainedRunTest {
  private static final String STEP =
      "{\"step\":%d,\"tokens\":%d,\"seconds\":%s,\"maxViolationMean\":%s,\"maxViolationMax\":%s,"
          + "\"entropy\":0.9,\"deadExperts\":0.25}\n";
  private static final String LOOK = "{\"step\":%d,\"bitsPerByte\":%s}\n";

  @TempDir private Path folder;

  private static TrainSettings settings() {
    return TrainConfig.preset("tiny")
        .with("model.vocabulary", "257")
        .with("steps", "4")
        .with("batch", "2")
        .with("microBatch", "1")
        .with("sequence", "10")
        .settings(Path.of("none"));
  }

  private void write(String... lines) throws IOException {
    Files.writeString(folder.resolve(TrainingRun.METRICS), String.join("", lines));
  }

  private static String step(int step, String seconds, String mean, String worst) {
    return String.format(STEP, step, 20 * step, seconds, mean, worst);
  }

  private static String[] whole() {
    return new String[] {
      step(1, "1.0", "9", "9"),
      step(2, "0.5", "9", "9"),
      String.format(LOOK, 2, "4.0"),
      step(3, "0.5", "1.0", "1.5"),
      step(4, "2.0", "2.0", "4.5"),
      String.format(LOOK, 4, "3.0")
    };
  }

  @Test
  void looksHaveTokensAndSecondsOfTheStepsBefore() throws IOException {
    write(whole());
    TrainedRun run = TrainedRun.read(folder, settings()).orElseThrow();
    assertThat(run.seed()).isEqualTo(1234);
    assertThat(run.points())
        .containsExactly(new TrainedRun.Point(2, 40, 1.5, 4), new TrainedRun.Point(4, 80, 4, 3));
    assertThat(run.bits()).isEqualTo(3);
    assertThat(run.seconds()).isEqualTo(4);
    // Median of 0.5, 0.5, 1, 2 is 0.75; 20 tokens a step.
    assertThat(run.tokensPerSecond()).isCloseTo(20 / 0.75, offset(1e-9));
    // Steps 3 and 4 alone.
    assertThat(run.load()).isEqualTo(new TrainedRun.Load(1.5, 4.5, 0.9, 0.25));
  }

  @Test
  void aTargetLiesOnALineBetweenTwoLooks() throws IOException {
    write(whole());
    TrainedRun run = TrainedRun.read(folder, settings()).orElseThrow();
    assertThat(run.reaches(3.5)).contains(new TrainedRun.Point(3, 60, 2.75, 3.5));
    assertThat(run.reaches(4.5)).contains(new TrainedRun.Point(2, 40, 1.5, 4));
    assertThat(run.reaches(2.9)).isEmpty();
  }

  @Test
  void whatDoesNotReachTheLastStepIsNotFinished() throws IOException {
    assertThat(TrainedRun.read(folder, settings())).isEmpty();
    String[] lines = whole();
    write(lines[0], lines[1], lines[2], lines[3], "{\"step\":4,\"tok");
    assertThat(TrainedRun.read(folder, settings())).isEmpty();
  }
}
