package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFilesTest {
  @TempDir Path folder;

  @Test
  void takesANameWithOrWithoutItsEnding() {
    assertThat(RunFiles.of(folder.resolve("cat.mp4")))
        .isEqualTo(RunFiles.of(folder.resolve("cat")));
    assertThat(RunFiles.of(folder.resolve("cat.v2")).video()).hasFileName("cat.v2.mp4");
  }

  @Test
  void refusesOtherKindsOfFiles() {
    assertThatThrownBy(() -> RunFiles.of(folder.resolve("clip.AVI")))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("videos are named .mp4. Use clip.mp4");
  }

  @Test
  void putsEverythingBesideTheVideo() {
    RunFiles files = RunFiles.of(folder.resolve("cat.mp4"));
    assertThat(files.sheet()).isEqualTo(folder.resolve("cat.png"));
    assertThat(files.report()).isEqualTo(folder.resolve("cat.json"));
    assertThat(files.explanation(3)).isEqualTo(folder.resolve("cat.step003.png"));
  }

  @Test
  void refusesAFolderAsAName() {
    assertThatThrownBy(() -> RunFiles.of(folder)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> RunFiles.of(Path.of("/"))).isInstanceOf(UsageException.class);
  }

  @Test
  void makesTheFolderAndLeavesNothingInIt() {
    RunFiles files = RunFiles.of(folder.resolve("new/deep/cat.mp4"));
    files.check();
    assertThat(files.folder()).isEmptyDirectory();
  }

  @Test
  void findsOutEarlyThatNothingCanBeWritten() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(() -> RunFiles.of(file.resolve("cat.mp4")).check())
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("Cannot write into");
  }
}
