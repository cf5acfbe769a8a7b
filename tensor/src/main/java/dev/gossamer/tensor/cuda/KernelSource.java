package dev.gossamer.tensor.cuda;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.CacheFolder;
import dev.gossamer.tensor.libtorch.Libtorch;
import dev.gossamer.tensor.libtorch.cuda.KernelCompiler;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * CUDA C++ out of a jar.
 *
 * @param name for messages
 * @param code the source, with what it includes from beside it put in its place
 */
public record KernelSource(String name, String code) {
  private static final Pattern OWN = Pattern.compile("(?m)^#include \"([\\w.]+)\"[ \\t]*$");
  private static final String HEADER = "cuda_bf16.h";

  /**
   * Reads a resource. A line {@code #include "file"} takes in the resource of that name beside it,
   * each once; {@code <cuda_bf16.h>} and its like come from CUDA's headers.
   *
   * @param beside class in whose package the resource lies
   */
  public static KernelSource of(Class<?> beside, String resource) {
    return new KernelSource(resource, expanded(beside, resource, new ArrayList<>()));
  }

  private static String expanded(Class<?> beside, String resource, List<String> taken) {
    taken.add(resource);
    Matcher include = OWN.matcher(text(beside, resource));
    return include.replaceAll(
        match ->
            taken.contains(match.group(1))
                ? ""
                : Matcher.quoteReplacement(expanded(beside, match.group(1), taken)));
  }

  private static String text(Class<?> beside, String resource) {
    try (InputStream stream = beside.getResourceAsStream(resource)) {
      if (stream == null) {
        throw new IllegalArgumentException("No resource " + resource + " beside " + beside);
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * What NVRTC is told.
   *
   * @param architecture for example {@code sm_90a}
   * @throws EnvironmentException if the headers of CUDA are not here
   */
  List<String> options(String architecture, List<String> more) {
    List<String> options = new ArrayList<>();
    options.add("--gpu-architecture=" + architecture);
    options.add("--std=c++17");
    if (code.contains("#include <")) {
      options.add("--include-path=" + headers().orElseThrow(KernelSource::noHeaders));
    }
    options.addAll(more);
    return options;
  }

  /**
   * Machine code for an architecture; needs NVRTC and no card.
   *
   * @throws dev.gossamer.tensor.failure.GossamerException if it does not compile
   * @throws EnvironmentException if NVRTC or CUDA's headers are not here
   */
  public byte[] compile(String architecture, List<String> more) {
    return compile(options(architecture, more));
  }

  byte[] compile(List<String> options) {
    return KernelCompiler.compile(name, code, options);
  }

  /**
   * Version of NVRTC, for example {@code 13.0}.
   *
   * @throws EnvironmentException if it is not here
   */
  public static String compilerVersion() {
    int version = KernelCompiler.version();
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** Where compiled kernels are kept. */
  static Path cacheFolder() {
    return CacheFolder.path().resolve("kernels");
  }

  /** The folder of CUDA's headers: beside an installed PyTorch, or of a toolkit; empty if none. */
  public static Optional<Path> headers() {
    Stream<Path> beside =
        Libtorch.foldersOfCuda().stream().map(libraries -> libraries.resolveSibling("include"));
    Stream<Path> named =
        Stream.of("CUDA_HOME", "CUDA_PATH")
            .map(System::getenv)
            .filter(home -> home != null && !home.isBlank())
            .map(home -> Path.of(home, "include"));
    Stream<Path> usual = Stream.of(Path.of("/usr/local/cuda/include"));
    return Stream.of(beside, named, usual)
        .flatMap(folders -> folders)
        .filter(folder -> Files.exists(folder.resolve(HEADER)))
        .findFirst();
  }

  private static EnvironmentException noHeaders() {
    return new EnvironmentException(
        "Cannot compile for the card: the headers of CUDA (" + HEADER + ") are not here",
        "Let CUDA_HOME name a CUDA 13 toolkit, or install nvidia-cuda-runtime beside PyTorch");
  }
}
