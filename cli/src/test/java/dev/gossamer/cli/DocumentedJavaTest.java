package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoePass;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The documents' lines of Java are lines of this class, so they compile. */
class DocumentedJavaTest {
  private static final Path SOURCE =
      Path.of("src/test/java/dev/gossamer/cli/DocumentedJavaTest.java");

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

  static void completes() {
    try (Threads threads = new Threads(Threads.available());
        SavedModel saved =
            SavedModel.open(Path.of("run"), DType.FLOAT32, threads, System.err::println)) {
      Completion completion = new Completion(SamplingSettings.GREEDY, 64, List.of(), false, true);
      int[] prompt = saved.tokenizer().encode("The sea");
      completion.run(saved.model(), saved.tokenizer(), prompt, System.out::print, () -> false);
    }
  }

  @Test
  void aLayerGoesForwardAndBackward() {
    MoeStructure structure =
        new MoeStructure.BigMac(
            512, 128, 64, 8, 480, ExpertBody.PLAIN); // wide, narrow, experts, k, inner
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        Generator noise = Generator.named("tokens", 1);
        MoeLayer layer =
            new MoeLayer(
                MoeSettings.of(structure), "moe", 7, DType.FLOAT32, LocalRanks.alone(), threads)) {
      Tensor x = noise.normal(2048, 512);
      MoePass pass = layer.forward(x);
      Tensor dx = pass.backward(pass.output(), 1); // the gradient of |y|^2 / 2
      assertThat(dx.shape()).containsExactly(2048, 512);
      assertThat(dx.abs().sum().item()).isPositive().isFinite();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"README.md", "docs/moe.md", "docs/lm.md"})
  void everyLineOfJavaStandsHere(String document) throws IOException {
    String text = Files.readString(Path.of("..", document));
    String java = text.substring(text.indexOf("```java") + 7);
    java = java.substring(0, java.indexOf("```"));
    String here = Files.readString(SOURCE);
    assertThat(statements(java)).hasSizeGreaterThan(5);
    assertThat(statements(here)).containsAll(statements(java));
  }

  /** Pieces that no formatter breaks, whatever the lines: without comments and white space. */
  private static List<String> statements(String java) {
    String plain = java.replaceAll("//[^\n]*", "").replaceAll("\\s+", "");
    return List.of(plain.split("(?<=[;{}])"));
  }
}
