package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromptListTest {
  @TempDir Path temp;

  @Test
  void leavesOutCommentsAndBlankLines() throws IOException {
    Path file =
        Files.writeString(temp.resolve("p.txt"), "\uFEFF# mine\n\n  a cat \r\na dog\n  # none\n");
    assertThat(PromptList.read(file).prompts()).containsExactly("a cat", "a dog");
    assertThat(PromptList.read(file).folder()).isEqualTo(Path.of("p-videos"));
  }

  @Test
  void refusesWhatIsNoListOfPrompts() throws IOException {
    Path empty = Files.writeString(temp.resolve("empty.txt"), "# nothing\n");
    Path binary = Files.write(temp.resolve("binary.txt"), new byte[] {(byte) 0xc3, 0x28});
    for (Path file : List.of(empty, binary, temp.resolve("absent.txt"), temp)) {
      assertThatThrownBy(() -> PromptList.read(file))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining(file.toString());
    }
  }

  @Test
  void namesVideosByNumberAndWords() {
    PromptList list = new PromptList("p", List.of("A cat, bouncing!", "Übermut"));
    assertThat(list.output(Path.of("out"), 0)).isEqualTo(Path.of("out/001-a-cat-bouncing.mp4"));
    assertThat(list.output(Path.of("out"), 1)).isEqualTo(Path.of("out/002-ubermut.mp4"));
  }

  @Test
  void aSlugIsNeverEmptyNorLong() {
    assertThat(PromptList.slug("猫")).isEqualTo("video");
    assertThat(PromptList.slug("../../etc/passwd")).isEqualTo("etc-passwd");
    assertThat(PromptList.slug("word ".repeat(50)))
        .hasSizeLessThanOrEqualTo(48)
        .doesNotEndWith("-");
  }
}
