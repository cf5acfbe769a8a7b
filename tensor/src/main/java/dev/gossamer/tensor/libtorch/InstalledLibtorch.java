package dev.gossamer.tensor.libtorch;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

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
      List.of(
          "libc10.so", PROCESSOR, "libc10_cuda.so", CARD, "libtorch_cuda_linalg.so", "libtorch.so");

  private static final List<NativeLibrary> BINDINGS =
      List.of(
          new NativeLibrary("javacpp", "libjnijavacpp.so"),
          new NativeLibrary("pytorch", "libjnitorch.so"));

  /** The one that the user named, by the system property or else by the environment variable. */
  static Optional<InstalledLibtorch> find() {
    return Optional.ofNullable(System.getProperty(PROPERTY, System.getenv(VARIABLE)))
        .filter(name -> !name.isBlank())
        .map(name -> new InstalledLibtorch(Path.of(name)));
  }

  /**
   * Loads it and the bindings, without those to CUDA: see {@link CudaBindings}.
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

  /** Whether it was built for NVIDIA cards. */
  boolean forCards() {
    return Files.exists(folder.resolve(CARD));
  }

  /**
   * Where the libraries of CUDA lie that came with PyTorch, as packages beside it; empty where it
   * uses those of the system.
   */
  List<Path> besides() {
    Path packages = folder.toAbsolutePath().normalize().resolve("../../nvidia").normalize();
    try (Stream<Path> found = Files.list(packages)) {
      return found.map(each -> each.resolve("lib")).filter(Files::isDirectory).sorted().toList();
    } catch (IOException e) {
      return List.of();
    }
  }

  /** What {@link #load} needs between Java and libtorch. */
  static List<NativeLibrary> bindings() {
    return BINDINGS;
  }
}
