package dev.gossamer.distributed.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A process, told apart from a later one of the same number.
 *
 * @param pid its number
 * @param start when it started, in the kernel's ticks since boot, which no clock can shift
 */
record Owner(long pid, String start) {
  static Owner current() {
    long pid = ProcessHandle.current().pid();
    return new Owner(pid, start(pid));
  }

  boolean isAlive() {
    return start.equals(start(pid));
  }

  private static String start(long pid) {
    try {
      String status = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
      // pid (name) state ...: field 22 of the line; a name may hold anything
      return status.substring(status.lastIndexOf(')') + 2).split(" ")[19];
    } catch (IOException e) {
      return "gone";
    }
  }
}
