package dev.gossamer.cli.bundle;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;

/** The running Java without what Gossamer does not use. */
final class JavaRuntime {
  private static final String MODULES =
      String.join(
          ",",
          "java.base",
          "java.desktop", // charts, and captions in the fonts of the machine
          "java.logging",
          "java.management",
          "jdk.httpserver", // a language model over HTTP
          "jdk.incubator.vector", // attention on a processor
          "jdk.management", // memory of the machine
          "jdk.unsupported"); // JavaCPP, the tokenizers

  private JavaRuntime() {}

  /**
   * @throws EnvironmentException if this Java has no jlink, or jlink fails
   */
  static void link(Path target) {
    ToolProvider jlink =
        ToolProvider.findFirst("jlink")
            .orElseThrow(
                () ->
                    new EnvironmentException(
                        "Cannot make a bundle: the Java in "
                            + System.getProperty("java.home")
                            + " has no jlink",
                        "Run with a JDK 17 or newer, not only a Java runtime"));
    StringWriter said = new StringWriter();
    PrintWriter writer = new PrintWriter(said);
    int code = jlink.run(writer, writer, arguments(target).toArray(String[]::new));
    if (code != 0) {
      throw new EnvironmentException(
          "Cannot make a bundle: jlink failed: " + said.toString().strip(),
          "Run with a whole JDK 17 or newer");
    }
  }

  private static List<String> arguments(Path target) {
    List<String> arguments = new ArrayList<>();
    arguments.addAll(List.of("--add-modules", MODULES, "--output", target.toString()));
    arguments.addAll(
        List.of("--strip-java-debug-attributes", "--no-man-pages", "--no-header-files"));
    if (Runtime.version().feature() >= 22) {
      arguments.add("--add-options=--enable-native-access=ALL-UNNAMED"); // or it warns
    }
    return arguments;
  }
}
