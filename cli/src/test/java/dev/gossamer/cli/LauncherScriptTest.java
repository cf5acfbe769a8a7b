package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The script {@code gossamer} where the build fails; Maven is a script that says what it is told.
 */
@DisabledOnOs(OS.WINDOWS)
class LauncherScriptTest {
  @TempDir Path temp;

  private Path root;
  private Path source;
  private Path calls;

  @BeforeEach
  void copyTheScript() throws IOException {
    root = Files.createDirectory(temp.resolve("root")).toRealPath();
    source = root.resolve("cli/src/main/Broken.java");
    calls = temp.resolve("calls");
    Files.createDirectories(source.getParent());
    Files.writeString(source, "");
    Files.writeString(root.resolve("pom.xml"), "");
    Files.writeString(root.resolve("cli/pom.xml"), "");
    Files.copy(Path.of("../gossamer"), root.resolve("gossamer"));
    Path mvn = Files.createDirectory(temp.resolve("bin")).resolve("mvn");
    Files.writeString(mvn, "#!/bin/sh\necho called >>" + calls + "\ncat " + says() + "\nexit 1\n");
    assertThat(mvn.toFile().setExecutable(true)).isTrue();
  }

  private Path says() {
    return temp.resolve("says");
  }

  @Test
  void theCompilersErrorsAreShownAndNoAdvice() throws IOException {
    compilerFails();
    assertThat(run())
        .isEqualTo(
            """
            gossamer: building; the first time also downloads libraries from Maven Central
            cli/src/main/Broken.java:[1,2] cannot find symbol
              symbol: method x()
            gossamer: the build failed, all of it is in ROOT/cli/target/build.log
            """
                .replace("ROOT", root.toString()));
    assertThat(root.resolve("cli/target/build.log")).content().contains("re-run Maven");
  }

  @Test
  void sourcesThatDidNotCompileAreTriedAgainOnceTheyChange() throws IOException {
    compilerFails();
    run();
    assertThat(run()).contains("cannot find symbol").doesNotContain("building");
    assertThat(calls).hasContent("called");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(2)));
    run();
    assertThat(calls).hasContent("called\ncalled");
  }

  @Test
  void otherFailuresAreTriedAgain() throws IOException {
    Files.writeString(
        says(), "[ERROR] Could not resolve dependencies: no network -> [Help 1]\n[ERROR] Advice\n");
    assertThat(run()).contains("\nCould not resolve dependencies: no network\ngossamer: the build");
    run();
    assertThat(calls).hasContent("called\ncalled");
  }

  private void compilerFails() throws IOException {
    String error = "[ERROR] " + source + ":[1,2] cannot find symbol\n";
    Files.writeString(
        says(),
        "\033[m[ERROR] COMPILATION ERROR : \n"
            + error
            + "  symbol: method x()\n"
            + "[ERROR] Failed to execute goal compile: Compilation failure: \n"
            + error
            + "[ERROR] -> [Help 1]\n[ERROR] To see more, re-run Maven with -e\n");
  }

  /** What the script says to stderr before it ends with exit code 4. */
  private String run() {
    try {
      ProcessBuilder builder = new ProcessBuilder(root.resolve("gossamer").toString(), "--version");
      builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
      builder.environment().put("PATH", temp.resolve("bin") + ":" + System.getenv("PATH"));
      builder.environment().remove("MAVEN_ARGS");
      Process process = builder.redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
      String said = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as(said).isEqualTo(4);
      return said;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
