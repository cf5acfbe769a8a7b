package dev.gossamer.cli;

import dev.gossamer.attention.vector.VectorApi;
import dev.gossamer.distributed.c10d.Backend;
import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Machine;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.cuda.KernelSource;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.files.CacheFolder;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Mp4Writer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Looks at what a video needs of a machine. */
final class Checkup {
  private static final String BLAS_VARIABLE = "OPENBLAS_NUM_THREADS";

  private Checkup() {}

  static List<Finding> ofThisMachine() {
    Machine machine = Machine.here();
    List<Finding> findings = new ArrayList<>();
    findings.add(Finding.good("Java", machine.java()));
    findings.add(Finding.good("System", machine.system()));
    findings.add(processor(machine));
    findings.add(memory(machine));
    findings.add(vectors());
    findings.addAll(libtorch(machine));
    findings.add(encoder());
    findings.add(cache(CacheFolder.path()));
    findings.addAll(cuda(CudaSetup.here()));
    findings.add(nccl(CudaSetup.here(), Backend.NCCL::demand));
    return findings;
  }

  private static Finding processor(Machine machine) {
    String found =
        machine.processor()
            + ", "
            + machine.cores()
            + " cores, "
            + (machine.instructions().isEmpty()
                ? "no known vector instructions"
                : String.join(" ", machine.instructions()));
    return machine.bfloat16()
        ? Finding.good("Processor", found)
        : Finding.note(
            "Processor", found + ", no bfloat16 products", "--dtype fp32 is the faster one here");
  }

  private static Finding memory(Machine machine) {
    return Finding.good(
        "Memory",
        gibibytes(machine.memoryBytes())
            + ", of which "
            + gibibytes(machine.availableBytes())
            + " available");
  }

  /** Whether attention on the processor may use Java's vectors. */
  private static Finding vectors() {
    return VectorApi.whyNot()
        .map(why -> Finding.note("Vectors", "not used by attention", why))
        .orElseGet(() -> Finding.good("Vectors", "used by attention on the processor"));
  }

  private static List<Finding> libtorch(Machine machine) {
    Machine.Backend backend;
    try {
      backend = Machine.backend();
    } catch (EnvironmentException e) {
      return List.of(Finding.bad("libtorch", e.getMessage(), ""));
    }
    List<Finding> findings = new ArrayList<>();
    findings.add(
        Finding.good("libtorch", backend.version() + ", processor kernels for " + backend.simd()));
    if (backend.blasThreads() < 0) {
      findings.add(Finding.good("Threads", backend.threads() + " in libtorch, no OpenBLAS"));
      return findings;
    }
    String threads = backend.threads() + " in libtorch, " + backend.blasThreads() + " in OpenBLAS";
    String variable = System.getenv(BLAS_VARIABLE);
    if (backend.blasThreads() > 1) {
      findings.add(
          Finding.note(
              "Threads", threads, "Set " + BLAS_VARIABLE + "=1: the two fight over cores"));
    } else if (variable == null) {
      findings.add(
          Finding.note(
              "Threads",
              threads + ", " + BLAS_VARIABLE + " is not set",
              "Start by ./gossamer, or set it to 1"));
    } else {
      findings.add(Finding.good("Threads", threads + ", " + BLAS_VARIABLE + "=" + variable));
    }
    return findings;
  }

  /** Writes a tiny video: nothing less shows that the encoder loads and works. */
  private static Finding encoder() {
    Path file = null;
    try {
      file = Files.createTempFile("gossamer", ".mp4");
      try (Mp4Writer writer = Mp4Writer.open(file, 16, 16, 16)) {
        writer.add(new Frame(16, 16, new byte[16 * 16 * 3]));
        writer.finish();
      }
      return Finding.good("Encoder", "ffmpeg writes H.264 video");
    } catch (EnvironmentException | IOException e) {
      return Finding.bad("Encoder", "no H.264 video: " + e.getMessage(), "");
    } finally {
      if (file != null) {
        file.toFile().delete();
      }
    }
  }

  static Finding cache(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.delete(Files.createTempFile(folder, "doctor", ""));
      return Finding.good("Cache", folder + " is writable");
    } catch (IOException e) {
      return Finding.bad(
          "Cache",
          folder + " cannot be written",
          "Set XDG_CACHE_HOME to a folder of yours, it holds the mini models (28 MB)");
    }
  }

  static List<Finding> cuda(CudaSetup setup) {
    if (!setup.card()) {
      return List.of(Finding.good("GPU", "none; videos are made on the processor"));
    }
    List<Finding> findings = new ArrayList<>();
    findings.add(
        setup.driver()
            ? Finding.good("GPU", "an NVIDIA card with its driver")
            : Finding.note(
                "GPU", "an NVIDIA card, but no libcuda.so.1", "Install the NVIDIA driver"));
    findings.addAll(cards());
    findings.add(headers());
    if (!setup.found().isEmpty()) {
      findings.add(Finding.good("CUDA", "found " + String.join(", ", setup.found())));
    }
    for (String library : setup.missing()) {
      findings.add(Finding.note("CUDA", "no " + library, remedy(library)));
    }
    return findings;
  }

  /** What libtorch can use, by its own word; the reason if it can use none. */
  private static List<Finding> cards() {
    List<Finding> findings = new ArrayList<>();
    try {
      for (Card card : Card.all()) {
        findings.add(
            Finding.good(
                "cuda:" + card.index(),
                String.format(
                    Locale.ROOT,
                    "%s, compute capability %s, %s of %s free, driver for CUDA %d.%d",
                    card.name(),
                    card.capabilityText(),
                    gibibytes(card.freeBytes()),
                    gibibytes(card.memoryBytes()),
                    card.driver() / 1000,
                    card.driver() % 1000 / 10)));
      }
      if (findings.isEmpty()) {
        Card.of(Device.of("cuda")); // says why
      }
    } catch (GossamerException e) {
      findings.add(Finding.note("CUDA", e.getMessage(), ""));
    }
    return findings;
  }

  /** Kernels are compiled on the machine itself. */
  private static Finding headers() {
    try {
      return Finding.good(
          "NVRTC",
          "version "
              + KernelSource.compilerVersion()
              + ", headers "
              + KernelSource.headers()
                  .map(Path::toString)
                  .orElse("missing: set CUDA_HOME to a CUDA 13 toolkit"));
    } catch (GossamerException e) {
      return Finding.note("NVRTC", e.getMessage(), "");
    }
  }

  /**
   * @param demand throws what NCCL lacks here
   */
  static Finding nccl(CudaSetup setup, Runnable demand) {
    if (!setup.card()) {
      return Finding.good("NCCL", "not needed without a card; ranks exchange by Gloo");
    }
    try {
      demand.run();
      return Finding.good("NCCL", "found; ranks on cards may use --backend nccl");
    } catch (EnvironmentException e) {
      return Finding.note("NCCL", e.getMessage(), "");
    }
  }

  private static String remedy(String library) {
    String source =
        library.startsWith("libcudnn")
            ? "cuDNN 9 for CUDA 13"
            : library.startsWith("libnccl") ? "NCCL 2 for CUDA 13" : "the CUDA 13 toolkit";
    return "Install " + source + ", or add its folder to LD_LIBRARY_PATH";
  }

  private static String gibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
  }
}
