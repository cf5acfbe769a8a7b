package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.StreamSupport;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The whole protocol on the text that ships inside, a few steps of the tiny preset. */
@Tag("slow")
class CompareStructuresCommandTest {
  private static final List<String> ARMS = List.of("vanilla-top1", "fine-grained", "bigmac");
  private static final List<String> FEW_STEPS =
      List.of(
          "compare-structures",
          "--preset",
          "tiny",
          "--steps",
          "6",
          "--batch",
          "2",
          "--micro-batch",
          "1",
          "--sequence",
          "16",
          "--set",
          "evaluation.every=2",
          "--evaluation.windows=2",
          "--checkpoint.every=2",
          "--threads",
          "1",
          "--seeds",
          "2",
          "--arms",
          String.join(",", ARMS));

  @TempDir private static Path folder;
  private static Path out;
  private static CommandRun first;

  private static String[] command(Path to, String... more) {
    List<String> all = new ArrayList<>(FEW_STEPS);
    all.addAll(List.of("--out", to.toString()));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  @BeforeAll
  static void compare() {
    out = folder.resolve("compared");
    first = CommandRun.of(command(out, "--json", "--learning-rate-check"));
    assertThat(first.exitCode()).as(first.err()).isZero();
  }

  private static JsonNode results() throws IOException {
    return new ObjectMapper().readTree(out.resolve("results.json").toFile());
  }

  private static double bits(Path run) throws IOException {
    List<String> lines = Files.readAllLines(run.resolve("metrics.jsonl"));
    JsonNode last = new ObjectMapper().readTree(lines.get(lines.size() - 1));
    assertThat(last.path("step").asInt()).isEqualTo(6);
    return last.path("bitsPerByte").asDouble();
  }

  @Test
  void everyArmIsTrainedWithEverySeed() throws IOException {
    for (String arm : ARMS) {
      for (int seed : new int[] {1234, 1235}) {
        Path run = out.resolve(arm).resolve("seed-" + seed);
        JsonNode config = new ObjectMapper().readTree(run.resolve("config.json").toFile());
        assertThat(config.path("seed").asInt()).isEqualTo(seed);
        assertThat(run.resolve("checkpoints/step-00000006")).isDirectory();
      }
    }
    Path twice = out.resolve("fine-grained-twice-rate/seed-1234/config.json");
    JsonNode config = new ObjectMapper().readTree(twice.toFile());
    assertThat(config.path("optimizer").path("learningRate").asDouble()).isEqualTo(0.01);
    assertThat(config.path("optimizer").path("minLearningRate").asDouble()).isEqualTo(0.001);
  }

  @Test
  void resultsAreThoseOfTheRuns() throws IOException {
    JsonNode printed = new ObjectMapper().readTree(first.out());
    for (String part : List.of("settings", "matching", "arms", "verdicts", "learningRateCheck")) {
      assertThat(printed.path(part)).as(part).isNotEmpty().isEqualTo(results().path(part));
    }
    double[] fine = {
      bits(out.resolve("fine-grained/seed-1234")), bits(out.resolve("fine-grained/seed-1235"))
    };
    double[] bigMac = {
      bits(out.resolve("bigmac/seed-1234")), bits(out.resolve("bigmac/seed-1235"))
    };
    JsonNode arm = arm("bigmac");
    assertThat(arm.path("bitsPerByte").path("mean").asDouble())
        .isCloseTo((bigMac[0] + bigMac[1]) / 2, within(1e-12));
    double difference = (bigMac[0] - fine[0] + bigMac[1] - fine[1]) / 2;
    JsonNode paired = arm.path("differenceToFineGrained");
    assertThat(paired.path("mean").asDouble()).isCloseTo(difference, within(1e-12));
    // Half the distance of two values, times the t of one degree of freedom.
    double margin = 12.706 * Math.abs(bigMac[0] - fine[0] - (bigMac[1] - fine[1])) / 2;
    assertThat(paired.path("high95").asDouble()).isCloseTo(difference + margin, within(1e-9));
    assertThat(results().path("targetBitsPerByte").asDouble())
        .isEqualTo(Math.max(fine[0], fine[1]));
    assertThat(arm.path("runs").path(0).path("points")).hasSize(3);
    assertThat(arm.path("modelledSeconds").asDouble()).isPositive();
    assertThat(arm("fine-grained").path("toTarget").path("runsThatReachIt").asInt()).isEqualTo(2);
  }

  private static JsonNode arm(String name) throws IOException {
    return StreamSupport.stream(results().path("arms").spliterator(), false)
        .filter(arm -> arm.path("arm").asText().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void saysWhatItFoundInWordsTablesAndCharts() throws IOException {
    assertThat(first.err())
        .contains("the others are matched to it", "bigmac is within fine-grained + 1 %: ")
        .contains("fine-grained is below vanilla-top1: ", "bigmac is below vanilla-top1: ")
        .contains("Learning rate 0.005, fine-grained with the first seed: ");
    assertThat(Files.readString(out.resolve("results.md")))
        .contains("## Sizes", "| arm", "- bigmac is within", "(bits-per-byte-modelled.png)");
    for (String axis : List.of("tokens", "seconds", "modelled")) {
      Path chart = out.resolve("bits-per-byte-" + axis + ".png");
      assertThat(ImageIO.read(chart.toFile()).getWidth()).isGreaterThan(400);
    }
  }

  @Test
  void aSecondCallTrainsNothingAndSaysTheSame() throws IOException {
    JsonNode before = results();
    Path metrics = out.resolve("bigmac/seed-1235/metrics.jsonl");
    var written = Files.getLastModifiedTime(metrics);
    CommandRun second = CommandRun.of(command(out, "--learning-rate-check"));
    assertThat(second.exitCode()).as(second.err()).isZero();
    assertThat(second.err()).contains("(8 of 8): done").doesNotContain("step 6/6");
    assertThat(second.out()).contains("bigmac is within fine-grained + 1 %: ");
    assertThat(Files.getLastModifiedTime(metrics)).isEqualTo(written);
    assertThat(results().path("arms")).isEqualTo(before.path("arms"));
  }

  @Test
  void anInterruptedComparisonGoesOn() throws IOException {
    Path again = folder.resolve("interrupted");
    AtomicInteger asked = new AtomicInteger();
    // Asked once after each step: in the second arm's third.
    CommandRun stopped =
        CommandRun.interruptible(() -> asked.incrementAndGet() == 9, command(again));
    assertThat(stopped.exitCode()).isEqualTo(130);
    assertThat(stopped.err())
        .endsWith(
            "gossamer: fine-grained, seed 1234: Stopped after step 3 of 6, all saved. Go on with"
                + " the same command"
                + System.lineSeparator());
    assertThat(again.resolve("results.json")).doesNotExist();
    CommandRun rest = CommandRun.of(command(again));
    assertThat(rest.exitCode()).as(rest.err()).isZero();
    assertThat(rest.err()).contains("vanilla-top1, seed 1234 (1 of 6): done");
    for (String arm : ARMS) {
      for (String seed : List.of("seed-1234", "seed-1235")) {
        assertThat(bits(again.resolve(arm).resolve(seed)))
            .isEqualTo(bits(out.resolve(arm).resolve(seed)));
      }
    }
    assertThat(again.resolve("results.md")).exists();
  }

  @Test
  void ranksCompareTogether() throws IOException {
    Path ranks = folder.resolve("ranks");
    CommandRun two = CommandRun.of(command(ranks, "--simulate", "2"));
    assertThat(two.exitCode()).as(two.err()).isZero();
    // Not equal: the loss of balance counts over both ranks' micro-batches.
    assertThat(bits(ranks.resolve("bigmac/seed-1234")))
        .isCloseTo(bits(out.resolve("bigmac/seed-1234")), within(0.02));
    CommandRun one = CommandRun.of(command(ranks));
    assertThat(one.exitCode()).isEqualTo(3);
    assertThat(one.err()).contains("its ranks is 2, not 1");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          --arms bigmac                      | Add it to --arms
          --arms fine-grained,moe            | Unknown arm 'moe'
          --arms fine-grained,fine-grained   | An arm is named twice
          --seeds 0                          | 0 seeds. Use 2 or more
          --ratio 2                          | a ratio of 2.0
          --set model.experts.count=6        | The nearest settings that fit are --set
          --set model.structure=vanilla      | vanilla ones. Use --set model.structure=fine-grained
          --set steps=0                      | No training has 0 steps
          """)
  void wrongUseCostsOneLine(String options, String line) {
    List<String> all = new ArrayList<>(List.of("compare-structures", "--preset", "tiny"));
    all.addAll(List.of("--out", folder.resolve("refused").toString()));
    all.addAll(List.of(options.strip().split(" ")));
    if (options.contains("vanilla")) {
      all.addAll(List.of("--set", "model.experts.latent=null"));
    }
    CommandRun refused = CommandRun.of(all.toArray(String[]::new));
    assertThat(refused.exitCode()).isBetween(2, 3);
    assertThat(refused.err()).contains(line.strip());
    assertThat(refused.err().lines().filter(l -> l.startsWith("gossamer: "))).hasSize(1);
    assertThat(folder.resolve("refused/comparison.json")).doesNotExist();
  }

  @Test
  void aForeignFolderIsRefused() throws IOException {
    Path foreign = Files.createDirectory(folder.resolve("foreign"));
    Files.writeString(foreign.resolve("letter.txt"), "Dear reader");
    CommandRun refused = CommandRun.of(command(foreign));
    assertThat(refused.exitCode()).isEqualTo(3);
    assertThat(refused.err()).contains("holds something else than a comparison of structures");
    assertThat(foreign.resolve("tokens")).doesNotExist();
  }

  @Test
  void otherSettingsThanThoseInTheFolderAreRefused() {
    CommandRun refused = CommandRun.of(command(out, "--set", "optimizer.clip=2"));
    assertThat(refused.exitCode()).isEqualTo(3);
    assertThat(refused.err())
        .contains("comparison.json: its optimizer.clip is 1.0, not 2.0. Use the settings of that");
  }
}
