package dev.gossamer.tensor.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class PartFolderTest {
  @TempDir private Path temp;

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void mayBeOpenedByWhoeverMayOpenItsNeighbours() throws IOException {
    Path target = temp.resolve("target");
    try (PartFolder part = PartFolder.of(target)) {
      part.commit();
    }
    Path neighbour = Files.createDirectory(temp.resolve("neighbour"));
    assertThat(Files.getPosixFilePermissions(target))
        .isEqualTo(Files.getPosixFilePermissions(neighbour));
  }

  @Test
  void isWholeOrAbsent() throws IOException {
    Path target = temp.resolve("target");
    try (PartFolder part = PartFolder.of(target)) {
      Files.writeString(part.path().resolve("file"), "half");
      assertThat(target).doesNotExist();
    }
    assertThat(temp).isEmptyDirectory();
    try (PartFolder part = PartFolder.of(target)) {
      Files.writeString(part.path().resolve("file"), "whole");
      part.commit();
    }
    assertThat(target.resolve("file")).hasContent("whole");
    assertThatThrownBy(() -> PartFolder.of(target))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no empty folder");
  }
}
