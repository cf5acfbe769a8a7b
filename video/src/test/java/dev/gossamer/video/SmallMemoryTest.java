package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every way to save memory makes the same video, and the plan knows what it saves. */
class SmallMemoryTest {
  private static final Path WAN = Golden.path("/goldens/wan_pipeline/checkpoint");
  private static final Path COG = Golden.path("/goldens/cogvideox_pipeline/checkpoint");

  @TempDir Path temp;

  private static ModelOptions options() {
    return ModelOptions.defaults().withThreads(2);
  }

  private static VideoRequest request(TextToVideo model) {
    boolean wan = model.folder().equals(WAN);
    return model
        .request("a cat")
        .withFrames(9)
        .withSize(wan ? 48 : 64, wan ? 32 : 48)
        .withSteps(2)
        .withGuidance(3);
  }

  private static final class Notes implements Progress {
    private final List<String> lines = new ArrayList<>();

    @Override
    public void note(String line) {
      lines.add(line);
    }
  }

  private RunReport make(Path checkpoint, ModelOptions options, Progress progress) {
    return make(checkpoint, options, progress, "cat");
  }

  private RunReport make(Path checkpoint, ModelOptions options, Progress progress, String name) {
    try (TextToVideo model = TextToVideo.open(checkpoint, options)) {
      return model
          .generate(request(model), RunOptions.to(temp.resolve(name + ".mp4")), progress)
          .report();
    }
  }

  private String frames(Path checkpoint, ModelOptions options) {
    return make(checkpoint, options, Progress.NONE).framesSha256();
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32", "BFLOAT16"})
  void everyModeMakesTheSameBytes(DType dtype) {
    ModelOptions whole = options().withDtype(dtype);
    String expected = frames(WAN, whole.withResidency(Residency.KEEP));
    assertThat(frames(WAN, whole.withResidency(Residency.STAGED))).isEqualTo(expected);
    ModelOptions blocks = whole.withOffload(Offload.BLOCKS);
    assertThat(frames(WAN, blocks.withResidency(Residency.KEEP))).isEqualTo(expected);
    assertThat(frames(WAN, blocks.withResidency(Residency.STAGED))).isEqualTo(expected);
  }

  @Test
  void theTextEncoderOfCogVideoXPassesToo() {
    assertThat(frames(COG, options().withOffload(Offload.BLOCKS)))
        .isEqualTo(frames(COG, options()));
  }

  @Test
  void replayKnowsTheMode() {
    RunReport report = make(WAN, options().withOffload(Offload.BLOCKS), Progress.NONE);
    assertThat(report.settings().offload()).isEqualTo("blocks");
    assertThat(Replay.read(temp.resolve("cat.json")).options().offload()).isEqualTo(Offload.BLOCKS);
  }

  @Test
  void thePlanCountsTheBlocksThatAreThere() {
    try (TextToVideo model = TextToVideo.open(WAN, options())) {
      TensorFiles files = TensorFiles.in(WAN.resolve("transformer"));
      long all = 0;
      long blocks = 0;
      for (var entry : files.entries().values()) {
        all += entry.bytes();
        blocks += entry.name().startsWith("blocks.") ? entry.bytes() : 0;
      }
      ModelOptions passing = options().withOffload(Offload.BLOCKS);
      assertThat(model.model().weightBytes(VideoPart.TRANSFORMER, options())).isEqualTo(all);
      // two layers, of which both branches may hold one
      assertThat(model.model().weightBytes(VideoPart.TRANSFORMER, passing)).isEqualTo(all);
      long text = model.model().weightBytes(VideoPart.TEXT, options());
      assertThat(text - model.model().weightBytes(VideoPart.TEXT, passing))
          .isPositive()
          .isLessThan(text);
      assertThat(blocks).isPositive().isLessThan(all);
    }
  }

  @Test
  void aDamagedBlockIsFoundWhenItIsRead() throws IOException {
    Path copy = copy(WAN);
    Path file = copy.resolve("transformer/diffusion_pytorch_model.safetensors");
    long at = TensorFiles.in(file.getParent()).entries().get("blocks.1.attn1.to_q.weight").offset();
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(at);
      access.write(new byte[] {0, 0, (byte) 0xc0, 0x7f});
    }
    assertThatThrownBy(() -> frames(copy, options().withOffload(Offload.BLOCKS)))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("NaN");
  }

  private Path copy(Path from) throws IOException {
    Path to = temp.resolve("copy");
    try (Stream<Path> paths = Files.walk(from)) {
      for (Path path : paths.toList()) {
        Path target = to.resolve(from.relativize(path).toString());
        if (Files.isDirectory(path)) {
          Files.createDirectories(target);
        } else {
          Files.copy(path, target);
        }
      }
    }
    return to;
  }

  private ModelOptions cached() {
    return options().withPromptCache(temp.resolve("prompts"));
  }

  private List<Path> kept() throws IOException {
    try (Stream<Path> files = Files.list(temp.resolve("prompts"))) {
      return files.sorted().toList();
    }
  }

  @Test
  void aKeptPromptNeedsNoTextEncoder() throws IOException {
    String expected = frames(WAN, options());
    RunReport first = make(WAN, cached(), Progress.NONE);
    assertThat(first.framesSha256()).isEqualTo(expected);
    assertThat(first.seconds().get("text")).isPositive();
    assertThat(kept()).hasSize(2); // prompt and negative
    try (TextToVideo model = TextToVideo.open(WAN, cached())) {
      RunReport second =
          model
              .generate(request(model), RunOptions.to(temp.resolve("b.mp4")), Progress.NONE)
              .report();
      assertThat(second.framesSha256()).isEqualTo(expected);
      assertThat(second.seconds().get("text")).isZero();
      assertThat(model.model().isLoaded(VideoPart.TEXT)).isFalse();
    }
    assertThat(kept()).hasSize(2);
  }

  @Test
  void typesAndEncodersAreKeptApart() throws IOException {
    make(WAN, cached(), Progress.NONE);
    make(WAN, cached().withDtype(DType.BFLOAT16), Progress.NONE);
    assertThat(kept()).hasSize(4);
    Path copy = copy(WAN);
    make(copy, cached(), Progress.NONE);
    assertThat(kept()).hasSize(4); // the same encoder elsewhere
    Path file = copy.resolve("text_encoder/model.safetensors");
    long at =
        TensorFiles.in(file.getParent()).entries().get("encoder.final_layer_norm.weight").offset();
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(at);
      access.write(new byte[] {0, 0, 0, 0x40});
    }
    make(copy, cached(), Progress.NONE);
    assertThat(kept()).hasSize(6);
  }

  @Test
  void damagedFilesAreMadeAgainWithANote() throws IOException {
    String expected = make(WAN, cached(), Progress.NONE).framesSha256();
    Path flipped = kept().get(0);
    byte[] bytes = Files.readAllBytes(flipped);
    bytes[bytes.length - 1] ^= 1;
    Files.write(flipped, bytes);
    Files.write(kept().get(1), new byte[] {1, 2, 3});
    Notes notes = new Notes();
    assertThat(make(WAN, cached(), notes).framesSha256()).isEqualTo(expected);
    assertThat(notes.lines).filteredOn(line -> line.contains("encoding it again")).hasSize(2);
    Notes none = new Notes();
    make(WAN, cached(), none);
    assertThat(none.lines).noneMatch(line -> line.contains("kept"));
  }

  @Test
  void aFolderThatCannotBeWrittenIsANote() throws IOException {
    Files.writeString(temp.resolve("prompts"), "a file");
    Notes notes = new Notes();
    assertThat(make(WAN, cached(), notes).framesSha256()).isEqualTo(frames(WAN, options()));
    assertThat(notes.lines).anyMatch(line -> line.startsWith("The prompt is not kept for later"));
  }

  @Test
  void severalRunsShareAFolder() throws Exception {
    ExecutorService runs = Executors.newFixedThreadPool(3);
    try {
      List<Future<String>> made = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        String name = "cat" + i;
        Callable<String> run = () -> make(WAN, cached(), Progress.NONE, name).framesSha256();
        made.add(runs.submit(run));
      }
      for (Future<String> run : made) {
        assertThat(run.get()).isEqualTo(made.get(0).get());
      }
    } finally {
      runs.shutdown();
    }
    assertThat(kept()).hasSize(2).allMatch(path -> path.toString().endsWith(".safetensors"));
  }
}
