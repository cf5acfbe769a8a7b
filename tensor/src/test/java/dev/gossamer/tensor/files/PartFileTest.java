package dev.gossamer.tensor.files;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;

class PartFileTest {
  @Test
  void saysInWordsWhatWentWrong() {
    assertThat(PartFile.reason(new NoSuchFileException("/x"))).isEqualTo("no such file");
    assertThat(PartFile.reason(new AccessDeniedException("/x"))).isEqualTo("access denied");
    assertThat(PartFile.reason(new FileSystemException("/x", null, "No space left on device")))
        .isEqualTo("No space left on device");
    assertThat(PartFile.reason(new IOException("closed"))).isEqualTo("closed");
  }
}
