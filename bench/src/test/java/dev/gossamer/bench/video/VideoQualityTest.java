package dev.gossamer.bench.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.video.ModelOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VideoQualityTest {
  private static final VideoQualitySettings SMALL =
      VideoQualitySettings.of(MiniModel.folder(), ModelOptions.defaults())
          .withPrompts(List.of("a rocket flies up in space", "a penguin falls at sunset"))
          .withSubjects(
              AttentionSubject.parseAll(
                  "default@.25+minTokens=0+denseSteps=0,sparge@.5+minTokens=0+denseSteps=0"))
          .withSize(new VideoSize(96, 96))
          .withFrames(5)
          .withSteps(2);

  @TempDir Path folder;

  /** Remembers what was announced; stops after so many announcements. */
  private static final class Listener implements BenchProgress {
    private final List<String> lines = new ArrayList<>();
    private final int most;

    Listener(int most) {
      this.most = most;
    }

    @Override
    public void note(String line) {
      lines.add(line);
    }

    @Override
    public boolean cancelled() {
      return lines.size() > most;
    }
  }

  @Test
  @Tag("slow")
  void goesOnWhereItWasInterruptedAndWritesItsPage() throws IOException {
    assertThatThrownBy(() -> VideoQuality.run(SMALL, folder, new Listener(2)))
        .isInstanceOf(InterruptedRunException.class);
    Path file = folder.resolve(VideoQuality.FILE);
    assertThat(Files.readAllLines(file)).hasSize(1);
    Files.writeString(file, "{\"prompt\":\"half wri", StandardOpenOption.APPEND);

    Listener listener = new Listener(99);
    VideoQualityReport report = VideoQuality.run(SMALL, folder, listener);
    assertThat(listener.lines)
        .containsExactly(
            "a rocket flies up in space: dense",
            "a rocket flies up in space: sparge@.5+minTokens=0+denseSteps=0, 3 to go",
            "a penguin falls at sunset: dense",
            "a penguin falls at sunset: default@.25+minTokens=0+denseSteps=0, 2 to go",
            "a penguin falls at sunset: sparge@.5+minTokens=0+denseSteps=0, 1 to go");
    assertThat(Files.readAllLines(file)).hasSize(4);

    report.write(folder);
    assertThat(Files.readString(folder.resolve("videos.md")))
        .contains("5 frames of 96x96, 2 steps, guidance 4.0", "| a penguin falls at sunset |");
    assertThat(Files.readString(folder.resolve("videos.json"))).contains("\"worstSsim\"");
    assertThat(ImageIO.read(folder.resolve("videos.png").toFile()).getWidth()).isGreaterThan(1000);

    Listener silent = new Listener(0);
    assertThat(VideoQuality.run(SMALL, folder, silent).table()).isEqualTo(report.table());
    assertThat(silent.lines).isEmpty();
  }

  @Test
  void linesOfOtherSettingsAreNotMistaken() {
    ComparedVideos kept = ComparedVideos.in(folder.resolve("some/videos.jsonl"));
    kept.add(new ComparedVideo("20 steps", "a cat", "paper", 1, 1, 0, 30, 0.9, 31, 25, 1, 2));
    ComparedVideos again = ComparedVideos.in(folder.resolve("some/videos.jsonl"));
    assertThat(again.find("20 steps", "a cat", "paper")).isPresent();
    assertThat(again.find("2 steps", "a cat", "paper")).isEmpty();
    assertThat(again.find("20 steps", "a dog", "paper")).isEmpty();
  }

  @Test
  void refusesAFileOfSomethingElse() throws IOException {
    Path file = Files.writeString(folder.resolve("videos.jsonl"), "a diary\n");
    assertThatThrownBy(() -> ComparedVideos.in(file))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("line 1 is no comparison");
  }

  @Test
  void comparesAtLeastEightPrompts() {
    assertThat(VideoQualitySettings.PROMPTS).hasSizeGreaterThanOrEqualTo(8).doesNotHaveDuplicates();
  }
}
