package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class GossamerTest {
  @Test
  void helpListsCommandsInGroups() {
    CommandRun run = CommandRun.of("--help");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out())
        .containsSubsequence(
            "Video\n",
            "  generate ",
            "Clusters\n",
            "  launch ",
            "Tools\n",
            "  doctor ",
            "Exit codes: 0 done");
    assertThat(run.err()).isEmpty();
  }

  @Test
  void everyListedCommandExplainsItself() {
    List<String> commands =
        CommandRun.of("--help")
            .out()
            .lines()
            .map(Pattern.compile("  ([a-z-]+)  +[A-Z].*")::matcher)
            .filter(Matcher::matches)
            .map(line -> line.group(1))
            .toList();
    assertThat(commands).contains("generate", "train", "launch", "generate-completion");
    for (String command : commands) {
      CommandRun run = CommandRun.of(command, "--help");
      assertThat(run.exitCode()).as(command).isZero();
      assertThat(run.out()).startsWith("Usage: gossamer " + command + " ");
    }
  }

  @Test
  void versionIsOneLine() {
    assertThat(CommandRun.of("--version").out()).matches("gossamer .+\\R");
  }

  @Test
  void completionIsAScript() {
    assertThat(CommandRun.of("generate-completion").out()).startsWith("#!/usr/bin/env bash");
  }

  @Test
  void anOptionGivenTwiceIsNamed() {
    assertThat(CommandRun.of("generate", "cat", "--steps", "2", "--seed=1", "--steps=3").err())
        .startsWith("gossamer: Option '--steps' is given twice");
  }

  @Test
  void settingsOfTheAttentionMayFollowEachOther() {
    String[] args = {"generate", "cat", "--dry-run", "--attn.kq=48", "--steps=2", "--attn.kk=32"};
    assertThat(CommandRun.of(args).out()).contains("2 steps");
    assertThat(CommandRun.of("generate", "cat", "--attn.kq=48", "--attn.no=1").err())
        .contains("no setting 'no'");
  }

  @Test
  void wrongValuesAreToldInPlainWords() {
    String[][] wrong = {
      {"--frames", "many", "'many' is not a whole number in range"},
      {"--seed", "1.5", "'1.5' is not a whole number in range"},
      {"--density", "half", "'half' is not a number"},
      {"--attn", "kq", "Value for option '--attn'"},
    };
    for (String[] option : wrong) {
      assertThat(CommandRun.of("generate", "cat", option[0], option[1]).err()).contains(option[2]);
    }
    assertThat(CommandRun.of("generate", "--", "-cat", "--steps").err())
        .contains("Unexpected argument '--steps'; options stand before --");
  }

  @Test
  void aResultThatCannotBePrintedIsAFailure() {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("No space left on device");
          }
        };
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal terminal = new Terminal(new PrintStream(full), new PrintStream(err, true), false);
    assertThat(Gossamer.run(terminal, () -> false, "doctor", "--json")).isEqualTo(4);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .matches("gossamer: Cannot write the result to stdout.+\\R");
  }

  @Test
  void wrongUsageIsOneLineAndExitCode2() {
    String[][] wrong = {
      {},
      {"generat"},
      {"doctor", "--jsno"},
      {"doctor", "more"},
      {"generate", "a cat", "--frames", "many"},
      {"generate", "a cat", "--size", "256"},
      {"generate", "a cat", "--attn.kq"},
      {"generate", "a cat", "--out"},
      {"generate", "a cat", "--steps", "2", "--size", "64x64", "--steps", "3"},
      {"generate", "a cat", "--out", "x", "--out", "y"},
    };
    for (String[] args : wrong) {
      CommandRun run = CommandRun.of(args);
      assertThat(run.exitCode()).as(String.join(" ", args)).isEqualTo(2);
      assertThat(run.err()).as(String.join(" ", args)).matches("gossamer: .+\\R");
      assertThat(run.out()).isEmpty();
    }
  }

  @Test
  void anUnknownCommandIsAnsweredWithTheNearest() {
    assertThat(CommandRun.of("generat").err())
        .startsWith("gossamer: Unknown command 'generat'; the nearest is generate");
    assertThat(CommandRun.of("doctor", "--jsno").err())
        .startsWith("gossamer: Unknown option '--jsno'; the nearest is --json");
    assertThat(CommandRun.of("gen").err())
        .startsWith(
            "gossamer: Unknown command 'gen'; the nearest is generate or generate-completion.");
    assertThat(CommandRun.of("video").err())
        .startsWith("gossamer: Unknown command 'video'. See 'gossamer --help'");
  }

  @Test
  void helpIsAskedForByAWordToo() {
    for (String[] words :
        List.of(new String[0], new String[] {"doctor"}, new String[] {"models", "inspect"})) {
      List<String> first = new ArrayList<>(List.of(words));
      first.add(0, "help");
      List<String> last = new ArrayList<>(List.of(words));
      last.add("--help");
      CommandRun byWord = CommandRun.of(first.toArray(String[]::new));
      assertThat(byWord.exitCode()).isZero();
      assertThat(byWord.out())
          .isNotEmpty()
          .isEqualTo(CommandRun.of(last.toArray(String[]::new)).out());
    }
  }

  @Test
  void verboseShowsTheTraceBelowTheLine() {
    CommandRun run = CommandRun.of("generate", "a cat", "--frames", "many", "--verbose");
    assertThat(run.err()).startsWith("gossamer: Invalid value").contains("\tat ");
  }

  @Test
  void doctorFindsThisMachineUsable() throws IOException {
    CommandRun run = CommandRun.of("doctor", "--json");
    JsonNode document = new ObjectMapper().readTree(run.out());
    assertThat(run.exitCode()).isZero();
    assertThat(document.path("usable").asBoolean()).isTrue();
    assertThat(document.path("findings").findValuesAsText("subject"))
        .contains("Java", "Processor", "Memory", "libtorch", "Threads", "Encoder", "Cache", "GPU");
    assertThat(run.err()).isEmpty();
  }

  @Test
  void doctorPrintsOneLinePerFinding() {
    CommandRun run = CommandRun.of("doctor");
    assertThat(run.out().lines()).allMatch(line -> line.matches("(ok|note|BAD) +\\w+ +.+"));
  }
}
