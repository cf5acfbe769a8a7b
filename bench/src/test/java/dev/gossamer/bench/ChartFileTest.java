package dev.gossamer.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
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
  void aMachineWithoutFontsIsToldAndGetsNoEmptyFile() {
    Path file = temp.resolve("chart.png");
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
    assertThat(file).doesNotExist();
  }
}
