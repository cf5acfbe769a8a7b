package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
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
  void everyCommandExplainsItself() {
    for (String command :
        new String[] {"generate", "decode", "replay", "models", "launch", "doctor"}) {
      CommandRun run = CommandRun.of(command, "--help");
      assertThat(run.exitCode()).as(command).isZero();
      assertThat(run.out()).startsWith("Usage: gossamer " + command);
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
