package dev.gossamer.tensor;

import dev.gossamer.tensor.libtorch.Libtorch;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Whether an NVIDIA card could be used here, judged from files alone: nothing is loaded.
 *
 * @param card whether the kernel's driver shows a card
 * @param driver whether the driver's library {@code libcuda.so.1} is there
 * @param missing libraries of CUDA 13, cuDNN 9 and NCCL that the loader would not find, by file
 *     name
 */
public record CudaSetup(boolean card, boolean driver, List<String> missing) {
  /** What libtorch 2.10 for CUDA 13 links against. */
  private static final List<String> LIBRARIES =
      List.of(
          "libcudart.so.13",
          "libnvrtc.so.13",
          "libcublas.so.13",
          "libcublasLt.so.13",
          "libcudnn.so.9",
          "libcufft.so.12",
          "libcurand.so.10",
          "libcusolver.so.12",
          "libcusparse.so.12",
          "libnccl.so.2");

  private static final List<String> FOLDERS =
      List.of("/lib64", "/usr/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu");

  public CudaSetup {
    missing = List.copyOf(missing);
  }

  /** This machine, now. */
  public static CudaSetup here() {
    String path = System.getenv().getOrDefault("LD_LIBRARY_PATH", "");
    List<String> folders = new ArrayList<>();
    Libtorch.foldersOfCuda().forEach(folder -> folders.add(folder.toString()));
    Arrays.stream(path.split(":")).filter(s -> !s.isBlank()).forEach(folders::add);
    return in(Path.of("/"), folders);
  }

  /**
   * @param root the root of the file system; another one in tests
   * @param libraryPath folders that the loader searches first
   */
  static CudaSetup in(Path root, List<String> libraryPath) {
    String cache = loaderCache(root.resolve("etc/ld.so.cache"));
    List<String> folders = new ArrayList<>(libraryPath);
    folders.addAll(FOLDERS);
    List<String> missing =
        LIBRARIES.stream().filter(name -> !found(root, cache, folders, name)).toList();
    return new CudaSetup(
        Files.exists(root.resolve("dev/nvidiactl")) || cards(root.resolve("dev")),
        found(root, cache, folders, "libcuda.so.1"),
        missing);
  }

  /** Those that the loader would find. */
  public List<String> found() {
    return LIBRARIES.stream().filter(name -> !missing.contains(name)).toList();
  }

  private static boolean cards(Path devices) {
    try (Stream<Path> names = Files.list(devices)) {
      return names.anyMatch(path -> path.getFileName().toString().matches("nvidia\\d+"));
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean found(Path root, String cache, List<String> folders, String name) {
    // The cache is a table of names that end in a zero byte.
    return cache.contains(name + "\0")
        || folders.stream()
            .anyMatch(folder -> Files.exists(root.resolve(relative(folder)).resolve(name)));
  }

  private static String relative(String folder) {
    return folder.startsWith("/") ? folder.substring(1) : folder;
  }

  private static String loaderCache(Path path) {
    try {
      return Files.isReadable(path)
          ? new String(Files.readAllBytes(path), StandardCharsets.ISO_8859_1)
          : "";
    } catch (IOException e) {
      return "";
    }
  }
}
