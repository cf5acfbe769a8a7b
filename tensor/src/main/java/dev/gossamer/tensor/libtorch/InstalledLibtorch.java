package dev.gossamer.tensor.libtorch;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch;

/**
 * The libtorch of an installed PyTorch, used in place of the one in the jars: the one way to an
 * NVIDIA card where CUDA came with PyTorch. It has its own BLAS, no OpenBLAS.
 *
 * @param folder where its libraries lie, {@code torch/lib} of a PyTorch for Python
 */
record InstalledLibtorch(Path folder) {
  static final String PROPERTY = "gossamer.libtorch";
  static final String VARIABLE = "GOSSAMER_LIBTORCH";

  private static final String PROCESSOR = "libtorch_cpu.so";
  private static final String CARD = "libtorch_cuda.so";

  /** Each needs those before it; a libtorch without CUDA lacks some. */
  private static final List<String> LIBRARIES =
      List.of("libc10.so", PROCESSOR, "libc10_cuda.so", CARD, "libtorch.so");

  private static final List<NativeLibrary> BINDINGS =
      List.of(
          new NativeLibrary("javacpp", "libjnijavacpp.so"),
          new NativeLibrary("pytorch", "libjnitorch.so"));

  private static final List<NativeLibrary> CUDA_BINDINGS =
      List.of(
          new NativeLibrary("cuda", "libjnicudart.so"),
          new NativeLibrary("cuda", "libjninvrtc.so"),
          new NativeLibrary("pytorch", "libjnitorch_cuda.so"));

  /** The one that the user named, by the system property or else by the environment variable. */
  static Optional<InstalledLibtorch> find() {
    return Optional.ofNullable(System.getProperty(PROPERTY, System.getenv(VARIABLE)))
        .filter(name -> !name.isBlank())
        .map(name -> new InstalledLibtorch(Path.of(name)));
  }

  /**
   * Loads it and the bindings, without those to CUDA.
   *
   * @throws EnvironmentException if the folder holds no libtorch
   * @throws UnsatisfiedLinkError if a library cannot be loaded
   */
  void load() {
    if (!Files.exists(folder.resolve(PROCESSOR))) {
      throw new EnvironmentException(
          "Cannot use the libtorch in " + folder + ": there is no " + PROCESSOR,
          "Let " + VARIABLE + " name the folder torch/lib of an installed PyTorch");
    }
    LIBRARIES.stream()
        .map(name -> folder.resolve(name).toAbsolutePath())
        .filter(Files::exists)
        .forEach(library -> System.load(library.toString()));
    NativeLoading.load(List.of(), BINDINGS);
  }

  /**
   * What {@link #load} needs, and what {@link #loadCuda} needs if jars on the class path have it.
   */
  static List<NativeLibrary> bindings() {
    Stream<NativeLibrary> cuda =
        CUDA_BINDINGS.stream().allMatch(library -> library.resource().isPresent())
            ? CUDA_BINDINGS.stream()
            : Stream.of();
    return Stream.concat(BINDINGS.stream(), cuda).toList();
  }

  /**
   * Loads the bindings to CUDA where there is a card and they are at hand.
   *
   * @throws EnvironmentException if they lack a library of CUDA
   */
  void loadCuda() {
    if (Files.exists(folder.resolve(CARD))
        && torch.cuda_is_available()
        && CUDA_BINDINGS.stream().allMatch(NativeLoading::has)) {
      try {
        NativeLoading.load(List.of(), CUDA_BINDINGS);
      } catch (UnsatisfiedLinkError e) {
        throw new EnvironmentException(
            "Cannot load the bindings to CUDA: " + e.getMessage(),
            "Let LD_LIBRARY_PATH name the folders of CUDA 13 and cuDNN 9, as the script in a bundle"
                + " does",
            e);
      }
    }
  }
}
