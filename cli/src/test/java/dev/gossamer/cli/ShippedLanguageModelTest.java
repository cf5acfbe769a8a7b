package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.lm.data.Corpus;
import dev.gossamer.mini.MiniLanguageModel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The language model that ships inside is the one where none is named. */
class ShippedLanguageModelTest {
  @TempDir private Path folder;

  private static CommandRun run(String[] command, String... more) {
    CommandRun run =
        CommandRun.of(Stream.of(command, more).flatMap(Stream::of).toArray(String[]::new));
    assertThat(run.exitCode()).as(run.err()).isZero();
    return run;
  }

  @Test
  void completesUnlessAnotherIsNamed() {
    String[] complete = {"complete", "The sea", "--max-tokens", "24", "--threads", "1"};
    CommandRun shown = run(complete);
    assertThat(shown.out()).startsWith("The sea").hasSizeGreaterThan(50);
    assertThat(run(complete, "--model", MiniLanguageModel.folder().toString()).out())
        .isEqualTo(shown.out());
    assertThat(run(complete, "--seed", "2").out()).isNotEqualTo(shown.out());
  }

  @Test
  void writesTheSameWithoutACacheAndOnSeveralRanks() {
    String[] complete = {
      "complete", "The sea", "--max-tokens", "12", "--temperature", "0", "--threads", "1"
    };
    String greedy = run(complete).out();
    assertThat(run(complete, "--no-cache").out()).isEqualTo(greedy);
    assertThat(run(complete, "--simulate", "2").out()).isEqualTo(greedy);
  }

  /** Of text that it was trained on; a model that has learnt nothing needs more than 3 bits. */
  @Test
  void predictsABookOfItsTraining() throws IOException {
    Path text = folder.resolve("book.txt");
    try (InputStream book = Corpus.class.getResourceAsStream("excerpt.txt")) {
      Files.write(text, book.readNBytes(8_000));
    }
    CommandRun measured =
        run(new String[] {"evaluate", "--text", text.toString(), "--threads", "1", "--json"});
    JsonNode json = new ObjectMapper().readTree(measured.out());
    assertThat(json.path("bytes").asLong()).isBetween(7_900L, 8_000L);
    assertThat(json.path("bitsPerByte").asDouble()).isBetween(0.5, 2.0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"complete", "serve", "evaluate"})
  void helpNamesIt(String command) {
    String help = run(new String[] {command, "--help"}).out();
    assertThat(help.replaceAll("\\s+", " "))
        .contains("exported model (default: the model that ships inside)");
  }

  @Test
  void aPromptIsStillAskedFor() {
    CommandRun run = CommandRun.of("complete");
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("PROMPT").hasLineCount(1);
  }
}
