package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.video.Progress;
import dev.gossamer.video.RunOptions;
import dev.gossamer.video.Stage;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.VideoResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The README's lines of Java are lines of this class, so they compile. */
class ReadmeTest {
  private static final Path SOURCE = Path.of("src/test/java/dev/gossamer/cli/ReadmeTest.java");

  static VideoResult fromJava() {
    Path checkpoint = MiniModel.folder();
    try (TextToVideo model = TextToVideo.open(checkpoint)) {
      VideoRequest request = model.request("a big red balloon rises on a night sky").withSeed(7);
      Progress progress =
          new Progress() {
            @Override
            public void advance(Stage stage, int done, int steps) {
              System.out.println(stage + " " + done + "/" + steps);
            }

            @Override
            public boolean cancelled() {
              return Thread.currentThread().isInterrupted();
            }
          };
      VideoResult result = model.generate(request, RunOptions.to(Path.of("balloon")), progress);
      return result;
    }
  }

  @Test
  void everyLineOfJavaInTheReadmeStandsHere() throws IOException {
    String readme = Files.readString(Path.of("../README.md"));
    String java = readme.substring(readme.indexOf("```java") + 7);
    List<String> lines = java.substring(0, java.indexOf("```")).lines().map(String::strip).toList();
    List<String> here = Files.readString(SOURCE).lines().map(String::strip).toList();
    assertThat(lines).hasSizeGreaterThan(10);
    assertThat(here).containsAll(lines);
  }
}
