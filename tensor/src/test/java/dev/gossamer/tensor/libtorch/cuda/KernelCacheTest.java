package dev.gossamer.tensor.libtorch.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelCacheTest {
  private static final byte[] IMAGE = {0x7f, 'E', 'L', 'F', 1, 2, 3};
  private static final KernelCache.Key KEY =
      new KernelCache.Key("code", List.of("--gpu-architecture=sm_80"), 13000, 13010);

  @TempDir Path temp;
  private final AtomicInteger compiled = new AtomicInteger();
  private final Supplier<byte[]> compiler =
      () -> {
        compiled.incrementAndGet();
        return IMAGE;
      };

  private KernelCache cache() {
    return new KernelCache(temp.resolve("new/kernels"));
  }

  @Test
  void compilesOnceAndKeeps() {
    assertThat(cache().image(KEY, compiler)).isEqualTo(IMAGE);
    assertThat(cache().image(KEY, compiler)).isEqualTo(IMAGE);
    assertThat(compiled).hasValue(1);
  }

  @Test
  void everythingThatDecidesTheCodeIsInTheKey() {
    List<KernelCache.Key> others =
        List.of(
            new KernelCache.Key("code ", KEY.options(), 13000, 13010),
            new KernelCache.Key("code", List.of("--gpu-architecture=sm_90a"), 13000, 13010),
            new KernelCache.Key("code", List.of("--gpu-architecture=sm_80", "-g"), 13000, 13010),
            new KernelCache.Key("code", KEY.options(), 12090, 13010),
            new KernelCache.Key("code", KEY.options(), 13000, 12080));
    others.forEach(key -> cache().image(key, compiler));
    cache().image(KEY, compiler);
    assertThat(compiled).hasValue(others.size() + 1);
  }

  @Test
  void optionsDoNotRunIntoEachOther() {
    assertThat(new KernelCache.Key("", List.of("ab", "c"), 1, 1).digest())
        .isNotEqualTo(new KernelCache.Key("", List.of("a", "bc"), 1, 1).digest());
  }

  @Test
  void aDamagedFileIsCompiledAgain() throws IOException {
    cache().image(KEY, compiler);
    try (Stream<Path> files = Files.list(cache().folder())) {
      Files.write(files.findFirst().orElseThrow(), new byte[] {0x7f, 'E'});
    }
    assertThat(cache().image(KEY, compiler)).isEqualTo(IMAGE);
    assertThat(cache().image(KEY, compiler)).isEqualTo(IMAGE);
    assertThat(compiled).hasValue(2);
  }

  @Test
  void whatTheCardRefusedIsForgotten() {
    cache().image(KEY, compiler);
    cache().forget(KEY);
    cache().image(KEY, compiler);
    assertThat(compiled).hasValue(2);
  }

  @Test
  void aFolderThatCannotBeMadeCostsACompilationOnly() throws IOException {
    Path file = Files.writeString(temp.resolve("kernels"), "a file");
    assertThat(new KernelCache(file).image(KEY, compiler)).isEqualTo(IMAGE);
    assertThat(file).hasContent("a file");
  }

  @Test
  void leavesNoOtherFiles() throws IOException {
    cache().image(KEY, compiler);
    try (Stream<Path> files = Files.list(cache().folder())) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .containsExactly(KEY.digest() + ".cubin");
    }
  }
}
