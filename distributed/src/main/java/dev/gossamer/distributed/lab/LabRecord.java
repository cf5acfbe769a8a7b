package dev.gossamer.distributed.lab;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The line of the list of labs that one lab has: a file of its own.
 *
 * @param file where it is kept
 * @param names of the lab
 * @param owner the process that built it
 * @param namespaces all that the lab has or will have; their links go with them
 */
record LabRecord(Path file, LabNames names, Owner owner, List<String> namespaces) {
  LabRecord {
    namespaces = List.copyOf(namespaces);
  }

  static LabRecord parse(Path file, List<String> lines) {
    LabNames names = new LabNames(file.getFileName().toString());
    Owner owner = new Owner(0, "unknown");
    List<String> namespaces = new ArrayList<>();
    for (String line : lines) {
      String[] words = line.strip().split(" ");
      if (words.length == 3 && words[0].equals("owner") && words[1].matches("\\d{1,10}")) {
        owner = new Owner(Long.parseLong(words[1]), words[2]);
      } else if (words.length == 2 && words[0].equals("namespace") && names.owns(words[1])) {
        namespaces.add(words[1]); // any other name is none of ours, whoever wrote it here
      }
    }
    return new LabRecord(file, names, owner, namespaces);
  }

  List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add("owner " + owner.pid() + " " + owner.start());
    namespaces.forEach(name -> lines.add("namespace " + name));
    return lines;
  }
}
