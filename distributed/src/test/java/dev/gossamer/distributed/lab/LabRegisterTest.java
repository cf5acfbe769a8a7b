package dev.gossamer.distributed.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(value = OS.LINUX, disabledReason = "labs need Linux")
class LabRegisterTest {
  @TempDir Path folder;

  @Test
  void anEntryIsReadAsItWasWritten() {
    LabRegister register = new LabRegister(folder.resolve("not/yet"));
    assertThat(register.all()).isEmpty();
    LabRecord entry = register.enter(2);
    assertThat(register.all()).containsExactly(entry);
    assertThat(entry.namespaces())
        .containsExactlyElementsOf(entry.names().namespaces(2))
        .allMatch(name -> name.startsWith(entry.names().lab() + "-"));
    assertThat(entry.owner().isAlive()).isTrue();
  }

  @Test
  void noNameIsGivenTwice() throws IOException {
    LabRegister register = new LabRegister(folder);
    List<String> names =
        IntStream.range(0, 40)
            .parallel()
            .mapToObj(i -> register.enter(1).names().lab())
            .collect(Collectors.toList());
    assertThat(names).doesNotHaveDuplicates();
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).as("no drafts are left").hasSize(40);
    }
  }

  @Test
  void onlyNamesOfTheLabItselfAreRead() {
    LabRecord entry =
        LabRecord.parse(
            folder.resolve("gs3"),
            List.of(
                "owner 12 345",
                "namespace gs3-n0",
                "namespace gs31-n0",
                "namespace other",
                "namespace gs3-/../x",
                "namespace",
                ""));
    assertThat(entry.namespaces()).containsExactly("gs3-n0");
    assertThat(entry.owner()).isEqualTo(new Owner(12, "345"));
  }

  @Test
  void anotherProcessOfTheSameNumberIsNotTheOwner() {
    Owner owner = Owner.current();
    assertThat(new Owner(owner.pid(), owner.start() + "1").isAlive()).isFalse();
    assertThat(LabRecord.parse(folder.resolve("gs1"), List.of()).owner().isAlive()).isFalse();
  }

  @Test
  void strangeFilesAreNoLabs() throws IOException {
    Files.createFile(folder.resolve("notes"));
    Files.createFile(folder.resolve("gs0"));
    assertThat(new LabRegister(folder).all()).isEmpty();
  }
}
