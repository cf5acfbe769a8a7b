package dev.gossamer.mini;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ShippedModelTest {
  @TempDir Path temp;

  private final Map<String, byte[]> content =
      Map.of(
          "config.json",
          "{}".getBytes(StandardCharsets.UTF_8),
          "part/weights.safetensors",
          new byte[100_000]);

  static Stream<ShippedModel> models() {
    return Stream.of(MiniModel.SHIPPED, MiniLanguageModel.SHIPPED);
  }

  @ParameterizedTest
  @MethodSource("models")
  void manifestDescribesTheFilesThatShip(ShippedModel model) throws IOException {
    Path folder = model.folder();
    List<String> lines = new ArrayList<>();
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.filter(Files::isRegularFile).toList()) {
        String relative = folder.relativize(path).toString().replace('\\', '/');
        lines.add(Manifest.Entry.of(folder, relative).toString());
      }
    }
    assertThat(model.manifest().files())
        .as("lines of %s.manifest; after a change copy the new ones there", model.resources())
        .extracting(Manifest.Entry::toString)
        .containsExactlyInAnyOrderElementsOf(lines);
  }

  @Test
  void plainFilesAreUsedInPlace() {
    assertThat(MiniModel.folder().resolve("model_index.json")).isRegularFile();
    assertThat(MiniModel.folder().resolve("../model.manifest")).isRegularFile();
    assertThat(MiniLanguageModel.folder().resolve("tokenizer.json")).isRegularFile();
    assertThat(MiniLanguageModel.folder().resolve("../model.manifest")).isRegularFile();
  }

  @Test
  void unpacksOnceAndKeepsNothingElse() throws IOException {
    AtomicInteger opened = new AtomicInteger();
    Unpacking unpacking = unpacking(opened);
    Path folder = unpacking.into(temp);
    assertThat(folder.resolve("part/weights.safetensors")).hasSize(100_000);
    assertThat(unpacking.into(temp)).isEqualTo(folder);
    assertThat(opened).hasValue(2);
    assertThat(namesIn(temp))
        .containsExactlyInAnyOrder(folder.getFileName().toString(), folder.getFileName() + ".lock");
  }

  @Test
  void replacesADamagedCopyOfTheSameLength() throws IOException {
    Path folder = unpacking(new AtomicInteger()).into(temp);
    byte[] damaged = new byte[100_000];
    damaged[50_000] = 1;
    Files.write(folder.resolve("part/weights.safetensors"), damaged);
    unpacking(new AtomicInteger()).into(temp);
    assertThat(folder.resolve("part/weights.safetensors")).hasBinaryContent(new byte[100_000]);
  }

  @Test
  void severalAtOnceShareOneUnpacking() throws Exception {
    AtomicInteger opened = new AtomicInteger();
    ExecutorService workers = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Path>> tasks = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        tasks.add(() -> unpacking(opened).into(temp));
      }
      for (Future<Path> folder : workers.invokeAll(tasks)) {
        assertThat(folder.get().resolve("config.json")).hasContent("{}");
      }
    } finally {
      workers.shutdown();
    }
    assertThat(opened).hasValue(2);
  }

  @Test
  void aWrongSourceLeavesNothingUnderTheFinalName() throws IOException {
    Function<String, InputStream> truncated = path -> new ByteArrayInputStream(new byte[1]);
    assertThatThrownBy(() -> new Unpacking("toy", manifest(), truncated).into(temp))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("checksums differ");
    assertThat(namesIn(temp)).containsExactly(manifest().folderName() + ".lock");
  }

  @Test
  void aCacheThatCannotBeMadeIsNamed() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "");
    assertThatThrownBy(() -> unpacking(new AtomicInteger()).into(file.resolve("cache")))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("Cannot unpack the toy into " + file)
        .hasMessageEndingWith("room for 1 MB");
  }

  @Test
  void cacheFollowsPropertyThenEnvironmentThenHome() {
    Path absolute = temp.toAbsolutePath();
    Map<String, String> home = Map.of("user.home", absolute.resolve("home").toString());
    assertThat(ShippedModel.cache(Map.of("gossamer.cache", "chosen")::get, name -> null))
        .isEqualTo(Path.of("chosen"));
    assertThat(ShippedModel.cache(home::get, Map.of("XDG_CACHE_HOME", absolute.toString())::get))
        .isEqualTo(absolute.resolve("gossamer"));
    assertThat(ShippedModel.cache(home::get, Map.of("XDG_CACHE_HOME", "relative")::get))
        .isEqualTo(absolute.resolve("home/.cache/gossamer"));
  }

  private Unpacking unpacking(AtomicInteger opened) {
    return new Unpacking(
        "toy",
        manifest(),
        path -> {
          opened.incrementAndGet();
          return new ByteArrayInputStream(content.get(path));
        });
  }

  private Manifest manifest() {
    try {
      Path folder = Files.createTempDirectory(temp.getParent(), "manifest");
      List<Manifest.Entry> files = new ArrayList<>();
      for (Map.Entry<String, byte[]> file : content.entrySet()) {
        Path path = folder.resolve(file.getKey());
        Files.createDirectories(path.getParent());
        Files.write(path, file.getValue());
        files.add(Manifest.Entry.of(folder, file.getKey()));
      }
      files.sort((a, b) -> a.path().compareTo(b.path()));
      return new Manifest(files);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> namesIn(Path folder) throws IOException {
    try (Stream<Path> paths = Files.list(folder)) {
      return paths.map(path -> path.getFileName().toString()).toList();
    }
  }
}
