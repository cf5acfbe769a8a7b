package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole runs on the tiny checkpoint of golden {@code wan_pipeline}. */
class TextToVideoTest {
  private static final Path CHECKPOINT = Golden.path("/goldens/wan_pipeline/checkpoint");
  private static final TextToVideo MODEL =
      TextToVideo.open(CHECKPOINT, ModelOptions.defaults().withThreads(1));

  @TempDir Path folder;

  @AfterAll
  static void close() {
    MODEL.close();
  }

  private static VideoRequest request() {
    return MODEL.request("a cat").withFrames(9).withSize(48, 32).withSteps(3).withGuidance(5);
  }

  private RunOptions run() {
    return RunOptions.to(folder.resolve("cat.mp4"));
  }

  private List<String> written() {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Cancels once a stage has come this far. */
  private static Progress stoppingIn(Stage stage, int steps) {
    return new Progress() {
      private boolean reached;

      @Override
      public void advance(Stage now, int done, int all) {
        reached |= now == stage && done >= steps;
      }

      @Override
      public boolean cancelled() {
        return reached;
      }
    };
  }

  @Test
  void writesVideoSheetAndReportAndNothingElse() {
    VideoResult result = MODEL.generate(request(), run(), Progress.NONE);
    assertThat(written()).containsExactly("cat.json", "cat.mp4", "cat.png");
    assertThat(result.latents()).isEmpty();
    assertThat(result.report().seconds())
        .containsKeys("text", "transformer", "decode", "write", "total");
    assertThat(result.report().seconds().values()).allMatch(seconds -> seconds >= 0);
    assertThat(result.report().peakMemoryBytes()).isPositive();
  }

  @Test
  void reportIsTheProvenance() throws IOException {
    MODEL.generate(request().withSeed(9), run(), Progress.NONE);
    JsonNode report = new ObjectMapper().readTree(folder.resolve("cat.json").toFile());
    assertThat(report.path("prompt").asText()).isEqualTo("a cat");
    assertThat(report.path("seed").asLong()).isEqualTo(9);
    assertThat(report.path("tokens").asLong()).isEqualTo(3 * 2 * 3);
    assertThat(report.at("/settings/attention/method").asText()).isEqualTo("dense");
    assertThat(report.at("/settings/sampling/scheduler").asText()).isNotEmpty();
    assertThat(report.at("/attention/density").asDouble()).isEqualTo(1);
    assertThat(report.at("/attention/perLayer").size()).isEqualTo(2);
    assertThat(report.at("/attention/perStep").size()).isEqualTo(3);
    assertThat(report.path("stepSeconds").size()).isEqualTo(3);
    assertThat(report.path("stepSeconds")).allMatch(seconds -> seconds.asDouble() > 0);
    assertThat(report.path("weights").size()).isEqualTo(3);
    assertThat(report.path("outputs").get(0).path("sha256").asText())
        .isEqualTo(Sha256.of(folder.resolve("cat.mp4")));
    assertThat(report.path("compare").isNull()).isTrue();
    for (String field : List.of("versions", "machine", "seconds", "cost", "memory")) {
      assertThat(report.path(field).isObject()).as(field).isTrue();
    }
  }

  @Test
  void sameRequestGivesTheSameFilesTwice() {
    RunReport first = MODEL.generate(request(), run(), Progress.NONE).report();
    RunReport second = MODEL.generate(request(), run(), Progress.NONE).report();
    assertThat(second.framesSha256()).isEqualTo(first.framesSha256());
    assertThat(second.outputs()).isEqualTo(first.outputs());
  }

  @Test
  void severalVideosLeaveNoTensorBehind() {
    MODEL.generate(request(), run(), Progress.NONE);
    long before = Tensor.live();
    for (int seed = 0; seed < 3; seed++) {
      MODEL.generate(
          request().withSeed(seed),
          run().with(RunOptions.Extra.COMPARE).withPreview(1),
          Progress.NONE);
      MODEL.generate(sparse("adacluster").withSeed(seed), run(), Progress.NONE);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  @Test
  void closingFreesEverything() {
    long before = Tensor.live();
    try (TextToVideo model = TextToVideo.open(CHECKPOINT, ModelOptions.defaults().withThreads(1))) {
      model.generate(request(), run(), Progress.NONE);
      assertThat(Tensor.live()).isGreaterThan(before);
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }

  private static void assertPartsAreOfTheTotal(RunReport report) {
    Map<String, Double> parts = new LinkedHashMap<>(report.seconds());
    double total = parts.remove("total");
    assertThat(parts.values().stream().mapToDouble(seconds -> seconds).sum())
        .isLessThanOrEqualTo(total);
  }

  @Test
  void stoppedWhileDenoisingItGoesOnToTheSameVideo() {
    RunReport undisturbed = MODEL.generate(request(), run(), Progress.NONE).report();
    assertThatThrownBy(() -> MODEL.generate(request(), run(), stoppingIn(Stage.TRANSFORMER, 2)))
        .isInstanceOf(InterruptedRunException.class);
    assertThat(written()).contains("cat.resume").noneMatch(name -> name.endsWith(".part"));
    VideoResult resumed =
        MODEL.generate(request(), run().with(RunOptions.Extra.RESUME), Progress.NONE);
    assertThat(resumed.report().outputs()).isEqualTo(undisturbed.outputs());
    assertThat(resumed.report().attention().perStep()).hasSize(3);
    assertPartsAreOfTheTotal(resumed.report());
    assertThat(written()).containsExactly("cat.json", "cat.mp4", "cat.png");
  }

  /** Sparse methods, set so that they cluster so short a sequence from the first step on. */
  private static VideoRequest sparse(String method) {
    AttentionOptions options = AttentionOptions.defaults().withSetting("minTokens", "1");
    options = options.withSetting("denseSteps", "0");
    return request()
        .withSize(96, 96)
        .withSteps(4)
        .withAttention(AttentionCatalog.create(method, options));
  }

  @ParameterizedTest
  @ValueSource(strings = {"adacluster", "svg2", "sparge"})
  void sparseAttentionGoesOnWithItsClusters(String method) {
    VideoRequest request = sparse(method);
    RunReport undisturbed = MODEL.generate(request, run(), Progress.NONE).report();
    assertThat(undisturbed.attention().density()).isLessThan(1);
    assertThatThrownBy(() -> MODEL.generate(request, run(), stoppingIn(Stage.TRANSFORMER, 2)))
        .isInstanceOf(InterruptedRunException.class);
    RunReport resumed =
        MODEL.generate(request, run().with(RunOptions.Extra.RESUME), Progress.NONE).report();
    assertThat(resumed.latentsSha256()).isEqualTo(undisturbed.latentsSha256());
    assertThat(resumed.attention().perStep()).hasSize(4);
  }

  @ParameterizedTest
  @ValueSource(strings = {"adacluster", "svg2", "sparge"})
  void sparseAttentionIsReplayedFromItsReport(String method) {
    VideoRequest request = sparse(method);
    MODEL.generate(request, run(), Progress.NONE);
    Replay replay = Replay.read(folder.resolve("cat.json"));
    assertThat(replay.request().attention().settings()).isEqualTo(request.attention().settings());
    assertThat(replay.replay(MODEL, folder.resolve("again.mp4"), Progress.NONE).sameVideo())
        .isTrue();
  }

  @Test
  void stoppedWhileDecodingItLeavesLatentsAndNoVideo() {
    assertThatThrownBy(() -> MODEL.generate(request(), run(), stoppingIn(Stage.DECODE, 1)))
        .isInstanceOf(InterruptedRunException.class)
        .hasMessageContaining("cat.latents.safetensors");
    assertThat(written()).containsExactly("cat.latents.safetensors");
    VideoResult resumed =
        MODEL.generate(request(), run().with(RunOptions.Extra.RESUME), Progress.NONE);
    assertThat(resumed.report().latentsSha256()).hasSize(64);
    assertThat(written()).containsExactly("cat.json", "cat.mp4", "cat.png");
  }

  /** Puts a folder in the way of a file once decoding begins, as a full disk would be. */
  private static Progress blocking(Path file) {
    return new Progress() {
      @Override
      public void begin(Stage stage, int steps) {
        if (stage == Stage.DECODE) {
          file.toFile().mkdir();
        }
      }
    };
  }

  @Test
  void failingToWriteFramesItSaysWhereTheLatentsAre() {
    Path frames = folder.resolve("frames.safetensors");
    assertThatThrownBy(
            () -> MODEL.generate(request(), run().withSavedFrames(frames), blocking(frames)))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("Cannot write " + frames)
        .hasMessageContaining("The latents are in " + folder.resolve("cat.latents.safetensors"))
        .hasMessageContaining("gossamer decode");
    assertThat(folder.resolve("cat.latents.safetensors")).exists();
  }

  @Test
  void keptLatentsDecodeToTheSameFrames() {
    VideoResult result =
        MODEL.generate(request(), run().with(RunOptions.Extra.KEEP_LATENTS), Progress.NONE);
    DecodedVideo decoded =
        MODEL.decode(
            result.latents().orElseThrow(),
            RunOptions.to(folder.resolve("again.mp4")),
            Progress.NONE);
    assertThat(decoded.framesSha256()).isEqualTo(result.report().framesSha256());
    assertThat(decoded.frames()).isEqualTo(9);
    assertThat(decoded.width()).isEqualTo(48);
    assertThat(written()).contains("again.mp4", "again.png");
  }

  @Test
  void comparesWithDenseFromTheSameNoise() {
    VideoResult same =
        MODEL.generate(request(), run().with(RunOptions.Extra.COMPARE), Progress.NONE);
    RunReport.Comparison comparison = same.report().compare().orElseThrow();
    assertThat(comparison.psnr()).as("dense against dense").isEqualTo(100);
    assertThat(comparison.ssim()).isEqualTo(1);
    assertThat(comparison.psnrPerFrame()).hasSize(9);
    assertThat(comparison.totalSpeedup()).isPositive();
    assertThat(same.compareVideo()).hasValueSatisfying(file -> assertThat(file).exists());
    VideoResult other =
        MODEL.generate(
            request().withAttention(new DriftingAttention()),
            run().with(RunOptions.Extra.COMPARE),
            Progress.NONE);
    assertThat(other.report().compare().orElseThrow().psnr()).isLessThan(60);
    assertThat(written()).containsExactly("cat.compare.mp4", "cat.json", "cat.mp4", "cat.png");
  }

  @Test
  void previewsAndExplainsOnRequest() {
    VideoResult result =
        MODEL.generate(
            request().withAttention(new DriftingAttention()),
            run().withPreview(2).withExplanation(Set.of(1, 2)),
            Progress.NONE);
    assertThat(result.preview()).hasValueSatisfying(file -> assertThat(file).isNotEmptyFile());
    assertThat(result.explanations())
        .containsExactly(folder.resolve("cat.step001.png"), folder.resolve("cat.step002.png"));
  }

  @Test
  void notesThatADenseStepHasNothingToExplain() {
    List<String> notes = new ArrayList<>();
    Progress hearing =
        new Progress() {
          @Override
          public void note(String line) {
            notes.add(line);
          }
        };
    VideoResult result = MODEL.generate(request(), run().withExplanation(Set.of(1)), hearing);
    assertThat(result.explanations()).isEmpty();
    assertThat(notes).anyMatch(note -> note.contains("Step 1"));
  }

  @Test
  void notesHowMuchOfALongPromptIsLeftOut() {
    List<String> notes = new ArrayList<>();
    Progress hearing =
        new Progress() {
          @Override
          public void note(String line) {
            notes.add(line);
          }
        };
    VideoRequest wordy = request().withSteps(1).withPrompt("cat ".repeat(2000));
    MODEL.generate(wordy, run().with(RunOptions.Extra.COMPARE), hearing);
    assertThat(notes)
        .singleElement()
        .asString()
        .matches("The prompt is too long .*: its last \\d{4} tokens are left out");
  }

  @Test
  void framesComeWithoutAnyFile() {
    List<Long> counts = new ArrayList<>();
    AttentionSummary summary =
        MODEL.generate(request(), frames -> counts.add(frames.size(0)), Progress.NONE);
    assertThat(counts).containsExactly(1L, 4L, 4L);
    assertThat(summary.density()).isEqualTo(1);
  }

  @Test
  void hostilePromptsAreOnlyText() {
    for (String prompt :
        List.of(
            "\0\u0001\u001b[31m",
            "</s><pad></s>",
            "../../etc/passwd; rm -rf / \"'`$(x)",
            "\ud83d\ude80 \u202e \u0301\u0301 \ufeff",
            "cat ".repeat(2000))) {
      RunReport report =
          MODEL.generate(request().withSteps(1).withPrompt(prompt), run(), Progress.NONE).report();
      assertThat(report.prompt()).isEqualTo(prompt);
      assertThat(Replay.read(folder.resolve("cat.json")).request().prompt()).isEqualTo(prompt);
    }
  }

  @Test
  void replayMakesTheSameBytesAndSaysSo() {
    MODEL.generate(request().withSeed(3), run(), Progress.NONE);
    Replay replay = Replay.read(folder.resolve("cat.json"));
    assertThat(replay.source().place()).isEqualTo(CHECKPOINT.toAbsolutePath().normalize());
    assertThat(replay.options().threads()).isEqualTo(1);
    Replay.Outcome outcome = replay.replay(MODEL, folder.resolve("again.mp4"), Progress.NONE);
    assertThat(outcome.sameFrames()).isTrue();
    assertThat(outcome.sameVideo()).isTrue();
    assertThat(outcome.differences()).isEmpty();
  }

  @Test
  void replaySaysWhatIsDifferent() throws IOException {
    MODEL.generate(request(), run(), Progress.NONE);
    Path report = folder.resolve("cat.json");
    Files.writeString(report, Files.readString(report).replace("\"seed\" : 0", "\"seed\" : 1"));
    Replay.Outcome outcome =
        Replay.read(report).replay(MODEL, folder.resolve("again.mp4"), Progress.NONE);
    assertThat(outcome.sameFrames()).isFalse();
    assertThat(outcome.differences())
        .anyMatch(line -> line.startsWith("frames was"))
        .anyMatch(line -> line.startsWith("noise was"));
  }

  @Test
  void replayRefusesWhatIsNoReport() throws IOException {
    Path file = folder.resolve("cat.json");
    assertThatThrownBy(() -> Replay.read(file)).isInstanceOf(BadInputException.class);
    Files.writeString(file, "{\"format\": \"other\"}");
    assertThatThrownBy(() -> Replay.read(file)).isInstanceOf(BadInputException.class);
    Files.writeString(file, "{");
    assertThatThrownBy(() -> Replay.read(file)).isInstanceOf(BadInputException.class);
    Files.writeString(file, "{\"format\": \"" + RunReport.FORMAT + "\"}");
    assertThatThrownBy(() -> Replay.read(file).request())
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("lack");
  }

  @Test
  void namesTheSupportedFamilies() throws IOException {
    Files.writeString(
        folder.resolve("model_index.json"), "{\"_class_name\": \"StableDiffusionPipeline\"}");
    assertThatThrownBy(() -> TextToVideo.open(folder))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("StableDiffusionPipeline")
        .hasMessageContaining("WanPipeline (Wan 2.1 text-to-video and image-to-video)");
    assertThatThrownBy(() -> TextToVideo.open(folder.resolve("none")))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no such folder");
  }

  @Test
  void refusesBadRequestsBeforeAnythingIsLoaded() {
    assertThatThrownBy(() -> MODEL.generate(request().withFrames(8), run(), Progress.NONE))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("5 or 9");
    assertThatThrownBy(
            () -> MODEL.generate(request(), run().withExplanation(Set.of(3)), Progress.NONE))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("0 to 2");
    assertThatThrownBy(
            () -> MODEL.generate(request(), run().withNoise(folder.resolve("none")), Progress.NONE))
        .isInstanceOf(BadInputException.class);
    assertThat(written()).isEmpty();
  }

  @Test
  void refusesNoiseThatDoesNotFit() {
    Path file = folder.resolve("noise.safetensors");
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(
          file, Map.of("latents", Tensor.zeros(DType.FLOAT32, 1, 4, 3, 4, 4)), Map.of());
      assertThatThrownBy(() -> MODEL.check(request(), run().withNoise(file)))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("[1, 4, 3, 4, 6]");
      SafetensorsWriter.write(
          file, Map.of("latents", Tensor.full(Double.NaN, DType.FLOAT32, 1, 4, 3, 4, 6)), Map.of());
      assertThatThrownBy(() -> MODEL.check(request(), run().withNoise(file)))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("NaN");
    }
  }

  @Test
  void saysEarlyThatNothingCanBeWritten() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(
            () -> MODEL.generate(request(), RunOptions.to(file.resolve("cat.mp4")), Progress.NONE))
        .isInstanceOf(EnvironmentException.class);
  }

  @Test
  void latentsOfAnotherModelDoNotDecode() {
    Path file = folder.resolve("other.safetensors");
    try (Scope scope = Scope.open()) {
      SafetensorsWriter.write(
          file, Map.of("latents", Tensor.zeros(DType.FLOAT32, 1, 16, 3, 4, 6)), Map.of());
    }
    assertThatThrownBy(
            () -> MODEL.decode(file, RunOptions.to(folder.resolve("x.mp4")), Progress.NONE))
        .isInstanceOf(GossamerException.class);
    assertThat(written()).containsExactly("other.safetensors");
  }

  @Test
  void inspectionFindsASoundCheckpoint() {
    Checkpoint checkpoint = Checkpoint.open(CHECKPOINT);
    VideoFamily family = TextToVideo.family(checkpoint);
    List<ComponentInspection> parts = family.inspect(checkpoint);
    assertThat(parts)
        .extracting(ComponentInspection::name)
        .containsExactly("text_encoder", "transformer", "vae");
    long live = Tensor.live();
    family.inspect(Checkpoint.open(CHECKPOINT));
    assertThat(Tensor.live()).as("it keeps nothing").isEqualTo(live);
    assertThat(parts).allMatch(part -> part.problems().isEmpty());
    assertThat(parts).allMatch(part -> part.parameters() > 0);
  }
}
