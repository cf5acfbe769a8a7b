package dev.gossamer.distributed.lab;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The labs of this machine, so that what a crash leaves behind can be found. A lab is entered
 * before its first part is built and struck out after its last is gone.
 *
 * @param folder one file per lab; in memory, as namespaces are, so that both end with a reboot
 */
record LabRegister(Path folder) {
  static final LabRegister SYSTEM = new LabRegister(Path.of("/run/gossamer/labs"));
  static final Path NAMESPACES = Path.of("/var/run/netns");
  private static final int MOST_LABS = 10_000;

  /** Enters a lab under a name that no other has. */
  LabRecord enter(int hosts) {
    Path draft = folder.resolve("draft-" + ProcessHandle.current().pid() + "-" + System.nanoTime());
    try {
      Files.createDirectories(folder);
      try {
        for (int run = 1; run < MOST_LABS; run++) {
          LabNames names = LabNames.of(run);
          LabRecord entry =
              new LabRecord(
                  folder.resolve(names.lab()), names, Owner.current(), names.namespaces(hosts));
          if (!Files.exists(NAMESPACES.resolve(names.hub())) && claim(draft, entry)) {
            return entry;
          }
        }
      } finally {
        Files.deleteIfExists(draft);
      }
    } catch (IOException e) {
      throw unusable(e);
    }
    throw new EnvironmentException("There are too many labs", "Run: gossamer lab clean");
  }

  /** A link appears at once and whole, or not at all, if another was faster. */
  private static boolean claim(Path draft, LabRecord entry) throws IOException {
    if (Files.exists(entry.file())) {
      return false;
    }
    Files.write(draft, entry.lines());
    try {
      Files.createLink(entry.file(), draft);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  List<LabRecord> all() {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    List<LabRecord> entries = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        if (LabNames.isLab(file.getFileName().toString())) {
          read(file, entries);
        }
      }
    } catch (IOException e) {
      throw unusable(e);
    }
    return entries;
  }

  private static void read(Path file, List<LabRecord> entries) throws IOException {
    try {
      entries.add(LabRecord.parse(file, Files.readAllLines(file)));
    } catch (NoSuchFileException e) {
      // struck out meanwhile
    }
  }

  private EnvironmentException unusable(IOException e) {
    return new EnvironmentException(
        "Cannot keep the list of labs in " + folder + ": " + e.getMessage(),
        "Make that folder writable",
        e);
  }
}
