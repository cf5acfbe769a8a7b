package dev.gossamer.tensor.libtorch;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;

/** The libraries between Java and CUDA: its driver, its compiler, and libtorch's own part of it. */
final class CudaBindings {
  private static final NativeLibrary TORCH = new NativeLibrary("pytorch", "libjnitorch_cuda.so");

  private static final List<NativeLibrary> BINDINGS =
      List.of(
          new NativeLibrary("cuda", "libjnicudart.so"),
          new NativeLibrary("cuda", "libjninvrtc.so"),
          TORCH);

  /** Of exchanges between cards; {@code distributed.c10d} loads it. */
  private static final NativeLibrary NCCL = new NativeLibrary("cuda", "libjninccl.so");

  /** Of CUDA itself: libtorch finds them by its own path, the bindings by their names. */
  private static final List<String> RUNTIME = List.of("libcudart.so.13", "libnvrtc.so.13");

  /** Parts of cuDNN that the bindings name; those of the system may be of another version. */
  private static final List<String> CUDNN =
      List.of(
          "libcudnn_graph.so.9",
          "libcudnn_ops.so.9",
          "libcudnn_engines_precompiled.so.9",
          "libcudnn_engines_runtime_compiled.so.9",
          "libcudnn_heuristic.so.9",
          "libcudnn_cnn.so.9",
          "libcudnn_adv.so.9",
          "libcudnn.so.9");

  private CudaBindings() {}

  /** Whether the libtorch of the jars, if there is one, is for cards. */
  static boolean inJars() {
    return TORCH.resource().isPresent();
  }

  /** All of them, if jars on the class path have them; else none. */
  static List<NativeLibrary> ofJars() {
    return BINDINGS.stream().allMatch(library -> library.resource().isPresent())
        ? Stream.concat(BINDINGS.stream(), Stream.of(NCCL)).toList()
        : List.of();
  }

  /**
   * @param installed the libtorch of an installed PyTorch, if it is in use
   * @throws EnvironmentException if no card can be used, or a library is missing
   */
  static void load(Optional<InstalledLibtorch> installed) {
    if (!BINDINGS.stream().allMatch(NativeLoading::has)) {
      throw lacking(
          "there are no bindings to CUDA",
          "Build with the profile gpu (MAVEN_ARGS=-Pgpu ./gossamer ...), or use a bundle made so");
    }
    if (installed.isPresent() && !installed.get().forCards()) {
      throw lacking(
          "the libtorch in " + installed.get().folder() + " is for processors only",
          "Install PyTorch 2.10 or 2.11 for CUDA 13");
    }
    if (!torch.cuda_is_available()) {
      throw lacking(
          "libtorch finds no card that it can use",
          "See './gossamer doctor': it names the card, the driver and missing libraries");
    }
    try {
      installed.ifPresent(libtorch -> load(RUNTIME, libtorch.besides()));
      installed.ifPresent(libtorch -> load(CUDNN, libtorch.besides()));
      NativeLoading.load(List.of(cudart.class, nvrtc.class, torch_cuda.class), BINDINGS);
    } catch (UnsatisfiedLinkError e) {
      throw new EnvironmentException(
          "Cannot load the bindings to CUDA: " + e.getMessage(),
          "Install the NVIDIA driver and CUDA 13, or let LD_LIBRARY_PATH name its folder; see"
              + " './gossamer doctor'",
          e);
    }
  }

  /**
   * Loads the compiler of CUDA and its bindings alone: they need neither a card nor a driver nor
   * libtorch.
   *
   * @throws UnsatisfiedLinkError if they are not here
   */
  static void loadCompiler(Optional<InstalledLibtorch> installed) {
    NativeLoading.prepare();
    installed.ifPresent(libtorch -> load(RUNTIME, libtorch.besides()));
    NativeLoading.load(List.of(nvrtc.class), List.of(BINDINGS.get(1)));
  }

  /** A library that is loaded already is found by its name, wherever it lies. */
  private static void load(List<String> names, List<Path> folders) {
    for (String name : names) {
      folders.stream()
          .map(folder -> folder.resolve(name))
          .filter(Files::exists)
          .findFirst()
          .ifPresent(file -> System.load(file.toString()));
    }
  }

  private static EnvironmentException lacking(String what, String remedy) {
    return new EnvironmentException("Cannot use an NVIDIA card: " + what, remedy);
  }
}
