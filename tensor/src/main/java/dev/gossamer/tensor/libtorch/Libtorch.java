package dev.gossamer.tensor.libtorch;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Loads libtorch once, sets it up for inference on many small Java threads, and refuses one that
 * does not behave: with default settings libtorch's threads and OpenBLAS's threads fight over the
 * cores, which costs a factor of 50.
 */
public final class Libtorch {
  private static final Pattern VERSION = Pattern.compile("TORCH_VERSION=([^,\\s]+)");

  /** With others the bindings read wrong numbers or crash. */
  private static final Pattern TESTED = Pattern.compile("2\\.1[01]\\..*");

  private static final String REMEDY = "Use PyTorch 2.10 or 2.11, or the libtorch of the jars";

  private static boolean booted;
  private static boolean bootedCuda;

  private Libtorch() {}

  /**
   * Loads and checks libtorch, the one in the jars or that of an installed PyTorch; later calls do
   * nothing.
   *
   * @throws EnvironmentException if it cannot be loaded, was never tried, or fails its self-test
   */
  public static synchronized void boot() {
    if (booted) {
      return;
    }
    NativeLoading.prepare();
    Optional<InstalledLibtorch> installed = InstalledLibtorch.find();
    try {
      installed.ifPresentOrElse(InstalledLibtorch::load, () -> Loader.load(torch.class));
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      throw new EnvironmentException(
          "Cannot load libtorch for " + Loader.getPlatform() + ": " + e.getMessage(),
          installed.isPresent()
              ? REMEDY
              : "Run './gossamer doctor'; the natives of this platform must be on the class path",
          e);
    }
    refuseUntested(version());
    if (installed.isEmpty()) {
      blasOnOneThread();
    }
    selfTest();
    booted = true;
  }

  /** Names the libtorch to load, before anything is. */
  public static synchronized void take(Path folder) {
    if (booted) {
      throw new IllegalStateException("A libtorch is loaded already");
    }
    System.setProperty(InstalledLibtorch.PROPERTY, folder.toString());
  }

  /**
   * Loads the bindings to CUDA besides, when a card is first used; later calls do nothing. Without
   * this call no class of CUDA is ever touched.
   *
   * @throws EnvironmentException if no card can be used here, with the reason and the remedy
   */
  public static synchronized void bootCuda() {
    boot();
    if (!bootedCuda) {
      CudaBindings.load(InstalledLibtorch.find());
      bootedCuda = true;
    }
  }

  /**
   * Loads CUDA's compiler alone, for a machine without a card.
   *
   * @throws UnsatisfiedLinkError if NVRTC or its bindings are not here
   */
  public static void bootCompiler() {
    CudaBindings.loadCompiler(InstalledLibtorch.find());
  }

  /** How many cards libtorch can use; 0 for a libtorch without CUDA. */
  public static int cards() {
    boot();
    return torch.cuda_is_available() ? torch.cuda_device_count() & 0xff : 0;
  }

  /**
   * The libraries between Java and an installed libtorch, as far as jars on the class path have
   * them.
   */
  public static List<NativeLibrary> bindings() {
    return Stream.concat(InstalledLibtorch.bindings().stream(), CudaBindings.ofJars().stream())
        .toList();
  }

  /** Folders beside an installed libtorch that hold the libraries of CUDA which came with it. */
  public static List<Path> foldersOfCuda() {
    return InstalledLibtorch.find().map(InstalledLibtorch::besides).orElse(List.of());
  }

  /** Says what libtorch is and how it is set up, for {@code gossamer doctor} and every report. */
  public static TorchFacts facts() {
    boot();
    return new TorchFacts(
        version(),
        text(torch.get_cpu_capability()),
        torch.get_num_threads(),
        InstalledLibtorch.find().isPresent() ? -1 : openblas_nolapack.blas_get_num_threads(),
        text(torch.show_config()),
        torch.cuda_is_available());
  }

  private static String version() {
    Matcher matcher = VERSION.matcher(text(torch.show_config()));
    return matcher.find() ? matcher.group(1) : "of unknown version";
  }

  private static String text(BytePointer pointer) {
    try (pointer) {
      return pointer.getString();
    }
  }

  /**
   * Threads that libtorch uses inside one operation, for operations issued by this thread.
   *
   * <p>A thread's first question for the number makes it what any thread set last. Asked before it
   * is set, it cannot undo it later, by chance and with other bits in the results.
   */
  public static void intraOpThreads(int threads) {
    boot();
    torch.get_num_threads();
    torch.set_num_threads(threads);
  }

  public static int intraOpThreads() {
    boot();
    return torch.get_num_threads();
  }

  /**
   * OpenBLAS reads OPENBLAS_NUM_THREADS when it is loaded, too early for Java to set it. Its own
   * setter works once its symbols are global.
   */
  private static void blasOnOneThread() {
    Optional<String> library = loadedLibrary("libopenblas");
    library.ifPresent(Loader::loadGlobal);
    openblas_nolapack.blas_set_num_threads(1);
  }

  private static Optional<String> loadedLibrary(String name) {
    Path maps = Path.of("/proc/self/maps");
    if (!Files.isReadable(maps)) {
      return Optional.empty();
    }
    try (Stream<String> lines = Files.lines(maps)) {
      return lines
          .filter(line -> line.contains("/" + name))
          .map(line -> line.substring(line.indexOf('/')))
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Whether libtorch has products of bfloat16 numbers for this processor. oneDNN makes them from
   * AVX-512 on; on x86 without it libtorch takes a plain loop, a hundred times slower.
   */
  public static boolean multipliesBfloat16() {
    boot();
    boolean x86 = Loader.getPlatform().endsWith("x86_64");
    return !x86 || text(torch.get_cpu_capability()).contains("AVX512");
  }

  /**
   * @throws EnvironmentException if these bindings were never tried with that libtorch
   */
  static void refuseUntested(String version) {
    if (!TESTED.matcher(version).matches()) {
      throw new EnvironmentException(
          "Cannot use libtorch " + version + ": these bindings are for 2.10 and 2.11", REMEDY);
    }
  }

  private static void selfTest() {
    try (TensorOptions options = new TensorOptions(ScalarType.Float);
        Tensor ones = torch.ones(new long[] {2, 3}, options);
        Tensor sum = ones.sum()) {
      long[] shape = ones.shape();
      if (shape.length != 2
          || shape[0] != 2
          || shape[1] != 3
          || ones.scalar_type().value != ScalarType.Float.value
          || sum.item_float() != 6) {
        throw new EnvironmentException(
            "libtorch " + version() + " does not fit these Java bindings", REMEDY);
      }
    }
  }
}
