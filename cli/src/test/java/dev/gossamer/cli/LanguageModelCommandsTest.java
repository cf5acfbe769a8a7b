package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** From text to a trained model to a completion, as a person types it. */
@Tag("slow")
class LanguageModelCommandsTest {
  private static final String[] TINY = {
    "--preset",
    "tiny",
    "--steps",
    "12",
    "--batch",
    "4",
    "--micro-batch",
    "2",
    "--sequence",
    "32",
    "--model.hidden=16",
    "--model.heads=2",
    "--model.experts.latent=4",
    "--checkpoint.every=5",
    "--evaluation.windows=3",
    "--threads",
    "1",
    "--log-every",
    "4"
  };

  @TempDir private static Path folder;
  private static Path data;
  private static Path run;

  @BeforeAll
  static void train() throws IOException {
    Path text = folder.resolve("text.txt");
    Files.writeString(text, sentences(400) + "\n\f\n" + sentences(300));
    Path held = folder.resolve("held.jsonl");
    Files.writeString(held, "{\"text\": \"" + sentences(60).replace("\n", "\\n") + "\"}\n");
    data = folder.resolve("tokens");
    CommandRun tokenized =
        CommandRun.of(
            "tokenize",
            "--train",
            text.toString(),
            "--validation",
            held.toString(),
            "--out",
            data.toString(),
            "--vocabulary",
            "290");
    assertThat(tokenized.exitCode()).as(tokenized.err()).isZero();
    assertThat(tokenized.out()).isEqualTo(data + System.lineSeparator());
    assertThat(tokenized.err()).contains("train").contains("2 documents").contains("validation");
    run = folder.resolve("run");
    CommandRun trained = CommandRun.of(with("--data", data.toString(), "--out", run.toString()));
    assertThat(trained.exitCode()).as(trained.err()).isZero();
    assertThat(trained.out()).isEqualTo(run + System.lineSeparator());
    assertThat(trained.err()).contains("step 12/12").contains("held-out loss");
  }

  private static String sentences(int count) {
    StringBuilder text = new StringBuilder();
    String[] words = {"sea", "ship", "wind", "harbour", "morning", "sailor"};
    for (int i = 0; i < count; i++) {
      text.append("The ").append(words[i * i % 6]).append(" and the ");
      text.append(words[i * 5 % 6]).append(i % 7 == 0 ? ".\n" : " were calm. ");
    }
    return text.toString();
  }

  private static String[] with(String[] first, String... more) {
    return Stream.of(first, more).flatMap(Stream::of).toArray(String[]::new);
  }

  private static String[] with(String... more) {
    String[] all = new String[1 + TINY.length + more.length];
    all[0] = "train";
    System.arraycopy(TINY, 0, all, 1, TINY.length);
    System.arraycopy(more, 0, all, 1 + TINY.length, more.length);
    return all;
  }

  private static JsonNode json(CommandRun of) throws IOException {
    assertThat(of.exitCode()).as(of.err()).isZero();
    return new ObjectMapper().readTree(of.out());
  }

  @Test
  void aRunLeavesConfigurationFiguresChartAndCheckpoints() throws IOException {
    JsonNode config = new ObjectMapper().readTree(run.resolve("config.json").toFile());
    assertThat(config.path("steps").asInt()).isEqualTo(12);
    assertThat(config.path("model").path("hidden").asInt()).isEqualTo(16);
    assertThat(config.path("model").path("vocabulary").asInt()).isEqualTo(290);
    assertThat(config.path("data").asText()).isEqualTo(data.toString());
    List<String> lines = Files.readAllLines(run.resolve("metrics.jsonl"));
    assertThat(lines).hasSize(13);
    assertThat(new ObjectMapper().readTree(lines.get(12)).path("bitsPerByte").asDouble())
        .isBetween(1.0, 8.0);
    JsonNode step = new ObjectMapper().readTree(lines.get(11));
    assertThat(step.path("peakResidentBytes").asLong(-1))
        .isGreaterThanOrEqualTo(step.path("residentBytes").asLong() * 9 / 10)
        .isNotNegative();
    assertThat(run.resolve("checkpoints/step-00000012")).isDirectory();
    assertThat(run.resolve("checkpoints/best")).hasContent("step-00000012");
  }

  @Test
  void theEffectiveConfigurationIsAConfiguration() {
    Path again = folder.resolve("again");
    CommandRun second =
        CommandRun.of(
            "train",
            "--config",
            run.resolve("config.json").toString(),
            "--out",
            again.toString(),
            "--threads",
            "1",
            "--no-chart");
    assertThat(second.exitCode()).as(second.err()).isZero();
    assertThat(again.resolve("checkpoints/step-00000012/weights-dense.safetensors"))
        .hasSameBinaryContentAs(run.resolve("checkpoints/step-00000012/weights-dense.safetensors"));
  }

  @Test
  void simulatedRanksTrainToo() {
    Path ranks = folder.resolve("ranks");
    CommandRun two =
        CommandRun.of(
            with("--data", data.toString(), "--out", ranks.toString(), "--simulate", "2"));
    assertThat(two.exitCode()).as(two.err()).isZero();
    assertThat(ranks.resolve("checkpoints/step-00000012/weights-experts-00004-00007.safetensors"))
        .exists();
  }

  @Test
  void whatCtrlCStopsIsSavedAndGoesOn() {
    Path stopped = folder.resolve("stopped");
    int[] asked = new int[1];
    CommandRun first =
        CommandRun.interruptible(
            () -> ++asked[0] >= 3, with("--data", data.toString(), "--out", stopped.toString()));
    assertThat(first.exitCode()).isEqualTo(130);
    assertThat(first.err()).contains("gossamer: Stopped after step 3 of 12, all saved");
    CommandRun rest =
        CommandRun.of("train", "--out", stopped.toString(), "--resume", "--threads", "1");
    assertThat(rest.exitCode()).as(rest.err()).isZero();
    assertThat(rest.err()).doesNotContain("There is no run");
    assertThat(stopped.resolve("checkpoints/step-00000012/weights-dense.safetensors"))
        .hasSameBinaryContentAs(run.resolve("checkpoints/step-00000012/weights-dense.safetensors"));
  }

  @Test
  void goingOnWithNothingBeginsAndSaysSo() {
    Path fresh = folder.resolve("fresh");
    CommandRun begun =
        CommandRun.of(with("--data", data.toString(), "--out", fresh.toString(), "--resume"));
    assertThat(begun.exitCode()).as(begun.err()).isZero();
    assertThat(begun.err()).contains("There is no run in " + fresh + " yet: it begins");
    CommandRun nameless =
        CommandRun.of("train", "--out", folder.resolve("no").toString(), "--resume");
    assertThat(nameless.exitCode()).isEqualTo(2);
    assertThat(nameless.err()).contains("Neither --config nor --preset");
  }

  @Test
  void evaluatesTokensAndTexts() throws IOException {
    JsonNode tokens =
        json(
            CommandRun.of(
                "evaluate", "--model", run.toString(), "--data", data.toString(), "--json"));
    assertThat(tokens.path("bitsPerByte").asDouble()).isBetween(1.0, 8.0);
    Path text = folder.resolve("few.txt");
    Files.writeString(text, "The sea and the café were calm.");
    Path logits = folder.resolve("logits.safetensors");
    JsonNode few =
        json(
            CommandRun.of(
                "evaluate",
                "--model",
                run.toString(),
                "--text",
                text.toString(),
                "--save-logits",
                logits.toString(),
                "--length",
                "7",
                "--json"));
    long count = few.path("tokens").asLong();
    double loss = few.path("loss").asDouble();
    assertThat(few.path("perplexity").asDouble()).isCloseTo(Math.exp(loss), offset(1e-9));
    assertThat(few.path("bitsPerByte").asDouble())
        .isCloseTo(loss * count / Math.log(2) / few.path("bytes").asLong(), offset(1e-9));
    SafetensorsFile file = SafetensorsFile.open(logits);
    assertThat(file.entries().get("logits").shape()).containsExactly(count + 1, 290L);
  }

  @Test
  void completesTheSameTextForASeed() throws IOException {
    String[] args = {
      "complete", "The sea", "--model", run.toString(), "--max-tokens", "12", "--seed", "3"
    };
    CommandRun shown = CommandRun.of(args);
    assertThat(shown.exitCode()).as(shown.err()).isZero();
    assertThat(shown.out()).startsWith("The sea");
    assertThat(CommandRun.of(args).out()).isEqualTo(shown.out());
    JsonNode greedy =
        json(
            CommandRun.of(
                "complete",
                "The sea",
                "--model",
                run.toString(),
                "--max-tokens",
                "5",
                "--temperature",
                "0",
                "--json"));
    JsonNode plain =
        json(
            CommandRun.of(
                "complete",
                "The sea",
                "--model",
                run.toString(),
                "--max-tokens",
                "5",
                "--temperature",
                "0",
                "--json",
                "--no-cache"));
    assertThat(plain.path("ids")).isEqualTo(greedy.path("ids"));
  }

  @Test
  void ranksThatDivideTheExpertsWriteTheSameText() throws IOException {
    Path exported = folder.resolve("for-ranks");
    CommandRun export =
        CommandRun.of("checkpoint", "export", run.toString(), "--out", exported.toString());
    assertThat(export.exitCode()).as(export.err()).isZero();
    for (Path model : List.of(run, exported)) {
      String[] complete = {
        "complete",
        "The sea",
        "--model",
        model.toString(),
        "--max-tokens",
        "9",
        "--temperature",
        "0"
      };
      String alone = CommandRun.of(complete).out();
      CommandRun simulated = CommandRun.of(with(complete, "--simulate", "4"));
      assertThat(simulated.exitCode()).as(simulated.err()).isZero();
      assertThat(simulated.out()).isEqualTo(alone);
      assertThat(simulated.err().lines().filter(line -> line.contains("9 tokens"))).hasSize(1);
    }
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void processesThatDivideTheExpertsWriteTheSameText() {
    String[] complete = {
      "complete", "The sea", "--model", run.toString(), "--max-tokens", "9", "--temperature", "0"
    };
    String alone = CommandRun.of(complete).out();
    CommandRun two = CommandRun.of(with(new String[] {"launch", "--nproc", "2", "--"}, complete));
    assertThat(two.exitCode()).as(two.err()).isZero();
    String shown =
        two.out()
            .lines()
            .filter(line -> !line.contains("is connected to")) // Gloo's own
            .map(line -> line.replaceFirst("^\\[0\\] ", ""))
            .collect(Collectors.joining("\n", "", "\n"));
    assertThat(shown).isEqualTo(alone);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aRankWithoutTheModelIsNamed() {
    String program =
        "exec "
            + Path.of(System.getProperty("java.home"), "bin", "java")
            + " -cp $0 "
            + Gossamer.class.getName()
            + " complete a --model "
            + run
            + "$([ $RANK = 1 ] && echo -none)";
    CommandRun failed =
        CommandRun.of(
            "launch", "--nproc", "2", "sh", "-c", program, System.getProperty("java.class.path"));
    assertThat(failed.exitCode()).as(failed.err()).isEqualTo(3);
    assertThat(failed.err().lines().filter(line -> line.startsWith("gossamer:")))
        .singleElement()
        .asString()
        .contains("Rank 1 failed first", "There is no model in");
  }

  @Test
  void checkpointsAreVerifiedExportedAndDividedAnew() throws IOException {
    CommandRun sound = CommandRun.of("checkpoint", "verify", run.toString());
    assertThat(sound.exitCode()).as(sound.err()).isZero();
    assertThat(sound.out().lines()).hasSize(2);
    Path exported = folder.resolve("exported");
    assertThat(
            CommandRun.of("checkpoint", "export", run.toString(), "--out", exported.toString())
                .exitCode())
        .isZero();
    Path divided = folder.resolve("divided");
    assertThat(
            CommandRun.of(
                    "checkpoint",
                    "reshard",
                    run.toString(),
                    "--out",
                    divided.toString(),
                    "--experts",
                    "3")
                .exitCode())
        .isZero();
    JsonNode expected =
        json(
            CommandRun.of(
                "evaluate", "--model", run.toString(), "--data", data.toString(), "--json"));
    for (Path same : List.of(exported, divided)) {
      JsonNode found =
          json(
              CommandRun.of(
                  "evaluate", "--model", same.toString(), "--data", data.toString(), "--json"));
      assertThat(found.path("loss").asDouble()).isEqualTo(expected.path("loss").asDouble());
    }
    byte[] weights = Files.readAllBytes(divided.resolve("weights-dense.safetensors"));
    weights[weights.length - 100] ^= 1;
    Files.write(divided.resolve("weights-dense.safetensors"), weights);
    CommandRun damaged = CommandRun.of("checkpoint", "verify", divided.toString());
    assertThat(damaged.exitCode()).isEqualTo(3);
    assertThat(damaged.err()).contains("weights-dense.safetensors is not as it was saved");
    assertThat(damaged.err().lines()).hasSize(1);
    CommandRun used = CommandRun.of("complete", "a", "--model", divided.toString());
    assertThat(used.exitCode()).isEqualTo(3);
    assertThat(used.out()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "train --out X | 2 | Neither --config nor --preset",
        "train --preset huge --out X | 2 | Unknown preset 'huge'",
        "train --preset tiny --out X --model.hiden=3 | 2 | unknown key 'hiden'",
        "train --preset tiny --out X --set model.layers=nonsense | 2 | 'layers'",
        "train --preset tiny --out X --steps 0 | 2 | 0 steps",
        "train --preset tiny --out X --batch 5 | 2 | micro-batches of 4",
        "bench lm --steps 3 | 2 | Unknown option '--steps'",
        "train --config none.json --out X | 3 | no such file",
        "train --preset tiny --out Y --device tpu | 2 | tpu",
        "train --preset tiny --out Y --device cuda --simulate 2 | 2 | Simulated ranks, which are",
        "train --preset tiny --out Y --device cuda:1 --simulate 2 | 2 | cuda:1 is one card, and there",
        "compare-structures --preset tiny --out Y --device cuda --simulate 2 | 2 | on cards. Use launch",
        "tokenize none.txt --out Y | 3 | no such file",
        "tokenize --out Y | 3 | no document to train with",
        "evaluate --model X | 2 | Neither --text nor --data",
        "complete a --model none | 3 | There is no model in none",
        "complete a --model none --temperature -1 | 2 | temperature of -1",
        "complete a --model none --threads 0 | 2 | --threads 0 compute nothing",
        "serve --model none --port 0 | 3 | There is no model in none",
        "serve --model none --port 70000 | 2 | There is no port 70000",
        "serve --model none --port 0 --host no.such.invalid | 2 | no host 'no.such.invalid'",
        "serve --model none --grace 60 | 2 | --grace 60 is no time to wait for",
        "serve --model none --token-file none | 3 | Cannot read none: no such file",
        "checkpoint verify none | 3 | none is no checkpoint",
        "checkpoint | 2 | Name verify, export or reshard"
      })
  void mistakesCostOneLine(String line, int exitCode, String message) {
    String[] args = line.replace("X", folder.resolve("bad").toString()).split(" ");
    for (int i = 0; i < args.length; i++) {
      args[i] = args[i].equals("Y") ? folder.resolve("bad-tokens").toString() : args[i];
    }
    CommandRun failed = CommandRun.of(args);
    assertThat(failed.exitCode()).as(failed.err()).isEqualTo(exitCode);
    assertThat(failed.err()).contains(message);
    assertThat(failed.err().lines()).hasSize(1);
    assertThat(failed.out()).isEmpty();
    assertThat(folder.resolve("bad-tokens")).doesNotExist();
  }

  @Test
  void whatAFileSaysWrongIsTheFilesFault() throws IOException {
    Path file = Files.createDirectories(folder.resolve("wrong")).resolve("config.json");
    Files.writeString(file, "{\"steps\": 1, \"batch\": 1, \"model\": {\"hidden\": \"many\"}}");
    Path out = folder.resolve("wrong-run");
    for (String more : List.of("--seed=2", "--set=evaluation.every=3", "--steps=2")) {
      CommandRun run =
          CommandRun.of(
              "train", "--config", "" + file, "--data", "" + data, "--out", "" + out, more);
      assertThat(run.exitCode()).as(run.err()).isEqualTo(3);
      assertThat(run.err()).contains("'hidden'");
    }
  }
}
