package dev.gossamer.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChartFileTest {
  @TempDir Path temp;

  @Test
  void writesWhatIsDrawn() throws IOException {
    Path file = temp.resolve("chart.png");
    new ChartFile(file).write(stream -> stream.write(7));
    assertThat(file).hasBinaryContent(new byte[] {7});
  }

  @Test
  void aFileThatCannotBeWrittenIsNamed() {
    Path file = temp.resolve("absent/chart.png");
    assertThatThrownBy(() -> new ChartFile(file).write(stream -> stream.write(7)))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("Cannot write " + file);
  }

  @Test
  void aMachineWithoutFontsIsToldAndKeepsWhatItHad() throws IOException {
    Path file = Files.writeString(temp.resolve("chart.png"), "an older chart");
    Throwable noFonts = new UnsatisfiedLinkError("libfreetype.so.6");
    assertThatThrownBy(
            () ->
                new ChartFile(file)
                    .write(
                        stream -> {
                          throw (Error) noFonts;
                        }))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("libfreetype.so.6")
        .hasMessageContaining("Install fontconfig and a font");
    assertThat(temp).isDirectoryContaining(file::equals);
    assertThat(file).hasContent("an older chart");
  }
}
