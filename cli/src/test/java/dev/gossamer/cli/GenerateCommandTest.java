package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerateCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path temp;

  @Test
  void writesVideoSheetAndReportAndPrintsThePath() throws IOException {
    CommandRun run = generate("cat.mp4", "--attention", "dense");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out()).isEqualTo(temp.resolve("cat.mp4") + System.lineSeparator());
    assertThat(names()).containsExactlyInAnyOrder("cat.mp4", "cat.png", "cat.json");
    assertThat(run.err())
        .contains("9 frames of 48x32, 3 steps, 18 tokens")
        .containsPattern("Seconds +load .*text .*transformer .*decode .*write ")
        .containsPattern("Attention +dense, density 1.000")
        .containsPattern("Peak memory +\\d");
  }

  @Test
  void jsonIsOneDocumentAndNothingElse() throws IOException {
    CommandRun run = generate("cat.mp4", "--json");
    JsonNode report = JSON.readTree(run.out());
    assertThat(run.exitCode()).isZero();
    for (String key :
        List.of(
            "prompt",
            "seed",
            "settings",
            "versions",
            "machine",
            "tokens",
            "seconds",
            "peakMemoryBytes",
            "attention")) {
      assertThat(report.has(key)).as(key).isTrue();
    }
    assertThat(report.path("attention").has("perLayer")).isTrue();
    assertThat(report).isEqualTo(JSON.readTree(temp.resolve("cat.json").toFile()));
  }

  @Test
  void savesLatentsAndFramesForChecking() {
    Path latents = temp.resolve("latents.safetensors");
    Path frames = temp.resolve("frames.safetensors");
    CommandRun run =
        generate("cat.mp4", "--save-latents", "" + latents, "--save-frames", "" + frames);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(SafetensorsFile.open(latents).entries().keySet())
        .containsExactlyInAnyOrder("step_000", "step_001", "step_002", "latents");
    assertThat(SafetensorsFile.open(frames).entries().get("frames").shape())
        .containsExactly(9L, 3L, 32L, 48L);
  }

  @Test
  void dryRunPrintsTokensFlopsAndMemoryAndMakesNothing() throws IOException {
    CommandRun run = generate("cat.mp4", "--dry-run");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("Tokens").contains("18 in").contains("FLOP").contains("Memory");
    assertThat(run.err()).isEmpty();
    JsonNode plan = JSON.readTree(generate("cat.mp4", "--dry-run", "--json").out());
    assertThat(plan.path("tokens").asInt()).isEqualTo(18);
    assertThat(plan.at("/flops/total").asDouble()).isPositive();
    assertThat(plan.at("/memory/neededBytes").asLong()).isPositive();
    assertThat(names()).isEmpty();
  }

  @Test
  void compareReportsLikenessAndSpeed() throws IOException {
    CommandRun run = generate("cat.mp4", "--compare", "--json");
    JsonNode compare = JSON.readTree(run.out()).path("compare");
    assertThat(run.exitCode()).as(run.err()).isZero();
    for (String key : List.of("psnr", "ssim", "attentionSpeedup", "totalSpeedup")) {
      assertThat(compare.has(key)).as(key).isTrue();
    }
    assertThat(compare.path("ssim").asDouble()).isEqualTo(1);
    assertThat(names()).contains("cat.compare.mp4");
  }

  @Test
  void theTableSaysWhetherTheFramesAreThoseOfDenseAttention() {
    assertThat(generate("cat.mp4", "--compare").err())
        .containsPattern("Against dense +identical frames; attention .*x, whole .*x as fast");
  }

  @Test
  void aResumedRunComparesNoSpeeds() throws IOException {
    String[] command =
        TinyCheckpoint.generate(TinyCheckpoint.folder(), temp.resolve("cat.mp4"), "--compare");
    assertThat(CommandRun.interruptible(new AfterSteps(2), command).exitCode()).isEqualTo(130);
    CommandRun resumed = CommandRun.of(with(command, "--resume", "--json"));
    JsonNode compare = JSON.readTree(resumed.out()).path("compare");
    assertThat(resumed.err())
        .containsPattern("(?m)^Against dense .*; no speeds, as the run was resumed$");
    assertThat(compare.path("attentionSpeedup").isNull()).isTrue();
    assertThat(compare.path("totalSpeedup").isNull()).isTrue();
    assertThat(compare.path("psnr").asDouble()).as("the report keeps the cap").isEqualTo(100);
  }

  @Test
  void theTableSaysWhyLayersAttendInFull() {
    assertThat(generate("cat.mp4", "--density=0.1").err())
        .containsPattern("In full +all layers \\(fewer than 2,048 tokens\\)");
    assertThat(generate("cat.mp4", "--attn.minTokens=1", "--attn.denseSteps=0.4").err())
        .containsPattern("In full +no layer throughout \\(the first steps\\)");
    assertThat(generate("cat.mp4", "--attention=dense").err())
        .containsPattern("In full +all layers \\(dense attention\\)");
  }

  @Test
  void anInterruptedRunGoesOnToTheSameVideo() throws IOException {
    assertThat(generate("whole.mp4").exitCode()).isZero();
    AfterSteps afterTwo = new AfterSteps(2);
    String[] command = TinyCheckpoint.generate(TinyCheckpoint.folder(), temp.resolve("cut.mp4"));
    CommandRun cut = CommandRun.interruptible(afterTwo, command);
    assertThat(cut.exitCode()).as(cut.err()).isEqualTo(130);
    assertThat(cut.err()).containsPattern("(?m)^gossamer: Stopped after step \\d of 3.*--resume");
    assertThat(names()).doesNotContain("cut.mp4", "cut.json");
    CommandRun resumed = generate("cut.mp4", "--resume");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(temp.resolve("cut.mp4")).hasSameBinaryContentAs(temp.resolve("whole.mp4"));
    assertThat(names())
        .filteredOn(name -> name.startsWith("cut"))
        .containsExactlyInAnyOrder("cut.mp4", "cut.png", "cut.json");
  }

  @Test
  void decodeMakesTheSameFramesFromKeptLatents() throws IOException {
    JsonNode report = JSON.readTree(generate("cat.mp4", "--keep-latents", "--json").out());
    Path latents = temp.resolve("cat.latents.safetensors");
    Path again = temp.resolve("again.mp4");
    String[] decode = {"decode", "" + latents, "--model", "" + TinyCheckpoint.folder()};
    CommandRun run = CommandRun.of(with(decode, "--out", "" + again, "--json"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(JSON.readTree(run.out()).path("framesSha256"))
        .isEqualTo(report.path("framesSha256"));
    assertThat(JSON.readTree(run.out()).path("video").asText()).isEqualTo("" + again);
    assertThat(CommandRun.of(decode).out().strip())
        .as("without --out beside the latents, where cat.mp4 is there already")
        .isEqualTo("" + temp.resolve("cat-2.mp4"));
    assertThat(names()).contains("again.mp4", "again.png", "cat-2.mp4");
  }

  @Test
  void replayMakesTheSameBytes() throws IOException {
    assertThat(generate("cat.mp4", "--seed", "7").exitCode()).isZero();
    CommandRun run = CommandRun.of("replay", "" + temp.resolve("cat.json"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(temp.resolve("cat-replay.mp4")).hasSameBinaryContentAs(temp.resolve("cat.mp4"));
  }

  @Test
  void replaySaysWhatDiffers() throws IOException {
    assertThat(generate("cat.mp4").exitCode()).isZero();
    Path other = TinyCheckpoint.copyTo(temp.resolve("other"));
    TinyCheckpoint.replace(
        other.resolve("scheduler/scheduler_config.json"), "\"flow_shift\": ", "\"flow_shift\": 1");
    CommandRun run =
        CommandRun.of("replay", "" + temp.resolve("cat.json"), "--model", "" + other, "--json");
    assertThat(run.exitCode()).as(run.err()).isEqualTo(1);
    assertThat(JSON.readTree(run.out()).path("sameVideo").asBoolean()).isFalse();
    assertThat(run.err()).contains("gossamer: Not the same video: ");
  }

  @Test
  void aListOfPromptsSkipsWhatIsThereAndSurvivesABrokenOne() throws IOException {
    Path list = temp.resolve("list.txt");
    String broken = "x".repeat(100_001);
    Files.writeString(list, "# two and a broken one\na cat\n" + broken + "\n\na dog\n");
    Path folder = temp.resolve("videos");
    CommandRun first = batch(list, folder);
    assertThat(first.exitCode()).isEqualTo(1);
    assertThat(first.out().lines())
        .containsExactly(
            "" + folder.resolve("001-a-cat.mp4"), "" + folder.resolve("003-a-dog.mp4"));
    assertThat(first.err()).contains("gossamer: 1 of 3 prompts gave no video");
    Files.writeString(list, "a cat\na bird\na dog\n");
    CommandRun second = batch(list, folder, "--json");
    JsonNode outcome = JSON.readTree(second.out());
    assertThat(second.exitCode()).as(second.err()).isZero();
    assertThat(outcome.path("kept")).hasSize(2);
    assertThat(outcome.path("made").findValuesAsText("prompt")).containsExactly("a bird");
    CommandRun otherSeed = batch(list, folder, "--seed", "1");
    assertThat(otherSeed.out().lines()).as("another request is made anew").hasSize(3);
  }

  @Test
  void withoutOutTheVideoIsNamedAfterThePromptAndNothingIsReplaced() throws IOException {
    assertThat(OutputName.of(temp, "A cat!")).isEqualTo(temp.resolve("a-cat.mp4"));
    Files.createFile(temp.resolve("a-cat.mp4"));
    assertThat(OutputName.of(temp, "A cat!")).isEqualTo(temp.resolve("a-cat-2.mp4"));
  }

  /** Asks a run to stop once it was asked about that often. */
  private static final class AfterSteps implements java.util.function.BooleanSupplier {
    private int left;

    AfterSteps(int questions) {
      left = questions;
    }

    @Override
    public boolean getAsBoolean() {
      return left-- <= 0;
    }
  }

  private static String[] with(String[] command, String... more) {
    return Stream.of(command, more).flatMap(Stream::of).toArray(String[]::new);
  }

  private CommandRun generate(String out, String... more) {
    return CommandRun.of(TinyCheckpoint.generate(TinyCheckpoint.folder(), temp.resolve(out), more));
  }

  private CommandRun batch(Path list, Path folder, String... more) {
    String[] single = TinyCheckpoint.generate(TinyCheckpoint.folder(), folder, more);
    return CommandRun.of(
        Stream.concat(
                Stream.of("generate", "--prompts", list.toString()), Stream.of(single).skip(2))
            .toArray(String[]::new));
  }

  private List<String> names() throws IOException {
    try (Stream<Path> paths = Files.list(temp)) {
      return paths.map(path -> path.getFileName().toString()).toList();
    }
  }
}
