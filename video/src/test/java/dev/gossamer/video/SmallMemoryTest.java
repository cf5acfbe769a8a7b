package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every way to save memory makes the same video, and the plan knows what it saves. */
class SmallMemoryTest {
  private static final Path WAN = Golden.path("/goldens/wan_pipeline/checkpoint");

  @TempDir Path temp;

  private static ModelOptions options() {
    return ModelOptions.defaults().withThreads(2);
  }

  private static Path folder(String family) {
    return Golden.path("/goldens/" + family + "_pipeline/checkpoint");
  }

  /** Two branches in every family. */
  private static VideoRequest request(TextToVideo model) {
    VideoRequest request =
        model.request("a cat").withFrames(9).withSize(64, 48).withSteps(2).withGuidance(3);
    return model.model().name().startsWith("Hunyuan")
        ? request.withNegative("blurry").withTrueGuidance(2)
        : request;
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
  @CsvSource({
    "wan,FLOAT32",
    "wan,BFLOAT16",
    "cogvideox,FLOAT32",
    "cogvideox,BFLOAT16",
    "hunyuan,FLOAT32",
    "hunyuan,BFLOAT16"
  })
  void everyModeMakesTheSameBytes(String family, DType dtype) {
    Path checkpoint = folder(family);
    ModelOptions whole = options().withDtype(dtype);
    String expected = frames(checkpoint, whole.withResidency(Residency.KEEP));
    assertThat(frames(checkpoint, whole.withResidency(Residency.STAGED))).isEqualTo(expected);
    ModelOptions blocks = whole.withOffload(Offload.BLOCKS);
    assertThat(frames(checkpoint, blocks.withResidency(Residency.KEEP))).isEqualTo(expected);
    assertThat(frames(checkpoint, blocks.withResidency(Residency.STAGED))).isEqualTo(expected);
  }

  /** Names of the tensors that pass, by hand. */
  private static Pattern blocks(String family, VideoPart part) {
    boolean text = part == VideoPart.TEXT;
    return Pattern.compile(
        family.equals("wan")
            ? text ? "encoder.block((?!relative).)*" : "blocks.*"
            : family.equals("cogvideox")
                ? text ? "encoder.block((?!relative).)*" : "transformer_blocks.*"
                : text ? "layers.*|text_model.encoder.layers.*" : "(single_)?transformer_block.*");
  }

  private static List<SafetensorsFile.Entry> entries(String family, VideoPart part) {
    List<SafetensorsFile.Entry> entries = new ArrayList<>();
    for (String component :
        part == VideoPart.TEXT
            ? new String[] {"text_encoder", "text_encoder_2"}
            : new String[] {"transformer"}) {
      Path at = folder(family).resolve(component);
      if (Files.isDirectory(at)) {
        entries.addAll(TensorFiles.in(at).entries().values());
      }
    }
    entries.removeIf(entry -> part == VideoPart.TEXT && isUnused(family, entry.name()));
    return entries;
  }

  /** What Llama does not run. */
  private static boolean isUnused(String family, String name) {
    return family.equals("hunyuan") && name.matches("layers\\.[34]\\..*|norm\\.weight");
  }

  private static List<Arguments> parts() {
    List<Arguments> parts = new ArrayList<>();
    for (String family : List.of("wan", "cogvideox", "hunyuan")) {
      parts.add(Arguments.of(family, VideoPart.TEXT));
      parts.add(Arguments.of(family, VideoPart.TRANSFORMER));
    }
    return parts;
  }

  @ParameterizedTest
  @MethodSource("parts")
  void noBlockStaysThatDoesNotRun(String family, VideoPart part) {
    Pattern blocks = blocks(family, part);
    long inBlocks =
        entries(family, part).stream()
            .filter(entry -> blocks.matcher(entry.name()).matches())
            .count();
    long whole = held(family, part, options());
    long passing = held(family, part, options().withOffload(Offload.BLOCKS));
    assertThat(inBlocks).isPositive();
    assertThat(whole - passing).isGreaterThanOrEqualTo(inBlocks);
  }

  /** Tensors that a loaded part keeps. */
  private static long held(String family, VideoPart part, ModelOptions options) {
    try (TextToVideo model = TextToVideo.open(folder(family), options)) {
      long before = Tensor.live();
      model.model().load(part);
      return Tensor.live() - before;
    }
  }

  @ParameterizedTest
  @MethodSource("parts")
  void thePlanCountsTheBlocksThatAreThere(String family, VideoPart part) {
    Pattern blocks = blocks(family, part);
    long all = 0;
    long inBlocks = 0;
    for (SafetensorsFile.Entry entry : entries(family, part)) {
      all += entry.bytes();
      inBlocks += blocks.matcher(entry.name()).matches() ? entry.bytes() : 0;
    }
    try (TextToVideo model = TextToVideo.open(folder(family), options())) {
      long passing = model.model().weightBytes(part, options().withOffload(Offload.BLOCKS));
      assertThat(model.model().weightBytes(part, options())).isEqualTo(all);
      if (part == VideoPart.TRANSFORMER && !family.equals("hunyuan")) {
        assertThat(passing).isEqualTo(all); // two layers, of which both branches may hold one
      } else {
        assertThat(passing).isBetween(all - inBlocks + 1, all - 1);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void thePlanAdmitsWhatFitsInAModeAndRefusesWhatDoesNot(String family) {
    ModelOptions whole = options().withResidency(Residency.KEEP);
    ModelOptions blocks = whole.withOffload(Offload.BLOCKS);
    try (TextToVideo model = TextToVideo.open(folder(family), whole)) {
      long least = plan(model, blocks, OptionalLong.empty()).needed();
      assertThat(plan(model, whole, OptionalLong.of(least)).fits()).isFalse();
      assertThat(plan(model, blocks, OptionalLong.of(least)).fits()).isTrue();
      assertThat(plan(model, blocks, OptionalLong.of(least - 1)).fits()).isFalse();
    }
  }

  private static MemoryPlan plan(TextToVideo model, ModelOptions options, OptionalLong free) {
    return MemoryPlan.of(model.model(), request(model), options, free);
  }

  @Test
  void replayKnowsTheMode() {
    RunReport report = make(WAN, options().withOffload(Offload.BLOCKS), Progress.NONE);
    assertThat(report.settings().offload()).isEqualTo("blocks");
    assertThat(Replay.read(temp.resolve("cat.json")).options().offload()).isEqualTo(Offload.BLOCKS);
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
    return copy(from, temp.resolve("copy"));
  }

  private static Path copy(Path from, Path to) throws IOException {
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

  @ParameterizedTest
  @ValueSource(strings = {"wan", "cogvideox", "hunyuan"})
  void aKeptPromptNeedsNoTextEncoder(String family) throws IOException {
    Path checkpoint = folder(family);
    String expected = frames(checkpoint, options());
    RunReport first = make(checkpoint, cached(), Progress.NONE);
    assertThat(first.framesSha256()).isEqualTo(expected);
    assertThat(first.seconds().get("text")).isPositive();
    assertThat(kept()).hasSize(2); // prompt and negative
    try (TextToVideo model = TextToVideo.open(checkpoint, cached())) {
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

  @ParameterizedTest
  @CsvSource({
    "wan,text_encoder/config.json",
    "wan,tokenizer/tokenizer_config.json",
    "cogvideox,tokenizer/tokenizer_config.json",
    "cogvideox,text_encoder/config.json",
    "hunyuan,tokenizer/tokenizer_config.json",
    "hunyuan,text_encoder/config.json",
    "hunyuan,tokenizer_2/tokenizer_config.json",
    "hunyuan,text_encoder_2/config.json"
  })
  void whateverReadsAPromptTellsKeptOnesApart(String family, String file) throws IOException {
    Path copy = copy(folder(family), temp.resolve("other"));
    assertThat(identity(copy)).isEqualTo(identity(folder(family)));
    Files.writeString(copy.resolve(file), "\n", StandardOpenOption.APPEND);
    assertThat(identity(copy)).isNotEqualTo(identity(folder(family)));
  }

  private static String identity(Path checkpoint) {
    try (TextToVideo model = TextToVideo.open(checkpoint, options())) {
      return model.model().textIdentity().orElseThrow();
    }
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
