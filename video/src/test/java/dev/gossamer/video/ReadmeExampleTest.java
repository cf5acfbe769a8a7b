package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.failure.InterruptedRunException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The lines of Java that the README shows: here they compile and run. */
class ReadmeExampleTest {
  @TempDir Path folder;

  @Test
  void tenLinesMakeAVideo() {
    generate(Golden.path("/goldens/wan_pipeline/checkpoint"), folder.resolve("rocket.mp4"));
    assertThat(folder.resolve("rocket.mp4")).isNotEmptyFile();
  }

  private static void generate(Path checkpoint, Path out) {
    AtomicBoolean stop = new AtomicBoolean(); // set it from any thread to stop after a step
    PrintStream log = new PrintStream(PrintStream.nullOutputStream());
    // README: begin
    try (TextToVideo model = TextToVideo.open(checkpoint)) {
      VideoRequest request =
          model.request("a rocket flies up in space").withFrames(9).withSize(64, 64).withSeed(7);
      Progress progress =
          new Progress() {
            @Override
            public void advance(Stage stage, int done, int steps) {
              log.println(stage.label() + " " + done + " of " + steps);
            }

            @Override
            public boolean cancelled() {
              return stop.get();
            }
          };
      VideoResult result = model.generate(request, RunOptions.to(out), progress);
      log.println(result.files().video() + " at density " + result.report().attention().density());
    } catch (InterruptedRunException stopped) {
      log.println(stopped.getMessage()); // goes on with RunOptions.Extra.RESUME
    }
    // README: end
  }
}
