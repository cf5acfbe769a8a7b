package dev.gossamer.video.media;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Runs a main class of the tests in a Java process of its own. */
record ChildJvm(int exitCode, String output) {
  /**
   * @param wrapper a command that starts the one appended to it; may be empty
   * @param environment variables on top of ours
   * @param command options of the Java launcher, then the class, then its arguments
   */
  static ChildJvm run(List<String> wrapper, Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(wrapper);
    all.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    all.addAll(List.of("-cp", System.getProperty("java.class.path")));
    all.addAll(List.of(command));
    ProcessBuilder builder = new ProcessBuilder(all).redirectErrorStream(true);
    builder.environment().putAll(environment);
    Process child = builder.start();
    byte[] output = child.getInputStream().readAllBytes();
    return new ChildJvm(child.waitFor(), new String(output, StandardCharsets.UTF_8));
  }
}
