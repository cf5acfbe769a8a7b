package dev.gossamer.attention.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the sources promise beyond compiling, which {@link KernelFilesTest} tries. */
class KernelSourcesTest {
  private static final Path SOURCES =
      Path.of("src/main/resources/dev/gossamer/attention/cuda").toAbsolutePath();

  @TempDir Path folder;

  private static boolean compilerIsThere() {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(place -> Files.isExecutable(Path.of(place, "nvcc")));
  }

  private static List<String> files(String end) throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(end))
          .sorted()
          .toList();
    }
  }

  @Test
  @Tag("slow")
  void hoppersProductsDoNotWaitForEachOther() throws Exception {
    assumeTrue(compilerIsThere(), "nvcc is not installed");
    for (String source : files("_sm90.cu")) {
      for (int headDim : new int[] {64, 128}) {
        compile(source, headDim);
      }
    }
  }

  private void compile(String source, int headDim) throws Exception {
    Path cubin = folder.resolve(source + headDim);
    Process process =
        new ProcessBuilder(
                "nvcc",
                "-std=c++17",
                "-cubin",
                "-gencode=arch=compute_90a,code=sm_90a",
                "-DHEAD_DIM=" + headDim,
                "-Xptxas",
                "-v",
                "-o",
                cubin.toString(),
                SOURCES.resolve(source).toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(said).isZero();
    assertThat(cubin).isNotEmptyFile();
    // ptxas says so when products that should overlap wait for each other.
    assertThat(said).doesNotContain("wgmma.mma_async instructions are serialized");
  }

  @Test
  void everyHeaderThatASourceIncludesIsThere() throws IOException {
    List<String> names = new ArrayList<>(files(".cu"));
    names.addAll(files(".cuh"));
    for (String name : names) {
      Stream<String> included =
          Files.readString(SOURCES.resolve(name))
              .lines()
              .filter(line -> line.startsWith("#include \""))
              .map(line -> line.substring(10, line.length() - 1));
      assertThat(files(".cuh")).as(name).containsAll(included.toList());
    }
  }
}
