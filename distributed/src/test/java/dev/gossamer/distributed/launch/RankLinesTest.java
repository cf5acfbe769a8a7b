package dev.gossamer.distributed.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class RankLinesTest {
  private final ByteArrayOutputStream sink = new ByteArrayOutputStream();
  private final RankLines lines = new RankLines(12, sink, new Object());

  @Test
  void marksEveryLineAndTheUnfinishedLastOne() throws IOException {
    take("one\n\ntwo");
    assertThat(written()).isEqualTo("[12] one\n[12] \n");
    lines.end();
    assertThat(written()).isEqualTo("[12] one\n[12] \n[12] two\n");
  }

  @Test
  void charactersThatArriveInPiecesStayWhole() throws IOException {
    for (byte b : "grüß 漢字 🚀\nñ".getBytes(StandardCharsets.UTF_8)) {
      lines.take(new byte[] {b}, 1);
    }
    lines.end();
    assertThat(written()).isEqualTo("[12] grüß 漢字 🚀\n[12] ñ\n");
  }

  @Test
  void bytesThatAreNoTextPassAsTheyAre() throws IOException {
    lines.take(new byte[] {(byte) 0xFF, 0, (byte) 0xC3, '\n'}, 4);
    assertThat(sink.toByteArray()).containsExactly('[', '1', '2', ']', ' ', 0xFF, 0, 0xC3, '\n');
  }

  @Test
  void aLongLineLeavesInPiecesOfWholeCharacters() throws IOException {
    String line = "x" + "漢🚀".repeat(RankLines.LONGEST / 3);
    take(line + "\nshort\n");
    lines.end();
    String text = written();
    assertThat(text).doesNotContain("\uFFFD").endsWith("\n[12] short\n");
    assertThat(text.replaceAll("\n?\\[12] ", "")).isEqualTo(line + "short\n");
    assertThat(text.lines().mapToInt(piece -> piece.getBytes(StandardCharsets.UTF_8).length))
        .allMatch(length -> length <= RankLines.LONGEST + 5)
        .hasSizeGreaterThan(2);
  }

  @Test
  void remembersTheLastLineThatSaysSomething() throws IOException {
    assertThat(lines.last()).isEmpty();
    take("10 %\r20 %\rboom é\n \n\n");
    assertThat(lines.last()).isEqualTo("boom é");
  }

  @Test
  void javasGreetingIsPassedOnAndSaysNothing() throws IOException {
    take("WARNING: Using incubator modules: jdk.incubator.vector\n");
    assertThat(lines.last()).isEmpty();
    assertThat(written())
        .isEqualTo("[12] WARNING: Using incubator modules: jdk.incubator.vector\n");
    take("WARNING: Using\n");
    assertThat(lines.last()).isEqualTo("WARNING: Using");
  }

  private void take(String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    lines.take(bytes, bytes.length);
  }

  private String written() {
    return sink.toString(StandardCharsets.UTF_8);
  }
}
