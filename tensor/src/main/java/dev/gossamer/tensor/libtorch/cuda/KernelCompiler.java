package dev.gossamer.tensor.libtorch.cuda;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.util.List;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/** CUDA C++ to machine code by NVRTC, which needs no card. */
public final class KernelCompiler {
  private KernelCompiler() {}

  /**
   * Loads NVRTC.
   *
   * @throws EnvironmentException if it is not here
   */
  public static void boot() {
    try {
      Libtorch.bootCompiler();
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      throw new EnvironmentException(
          "Cannot compile for a card: NVRTC is not here (" + e.getMessage() + ")",
          "Install the CUDA 13 toolkit, or PyTorch for CUDA 13, and see './gossamer doctor'",
          e);
    }
  }

  /** Version as a number, for example 13000 for 13.0. */
  public static int version() {
    boot();
    int[] major = new int[1];
    int[] minor = new int[1];
    check(nvrtc.nvrtcVersion(major, minor), "asking for its version");
    return 1000 * major[0] + 10 * minor[0];
  }

  /**
   * @param name of the source, for messages
   * @param code CUDA C++
   * @param options of NVRTC; one says {@code --gpu-architecture=sm_..}, so that machine code
   *     results
   * @return the image of a module (cubin)
   * @throws GossamerException with the compiler's first error
   */
  public static byte[] compile(String name, String code, List<String> options) {
    boot();
    _nvrtcProgram program = new _nvrtcProgram();
    try (BytePointer text = new BytePointer(code);
        BytePointer label = new BytePointer(name);
        PointerPointer<Pointer> none = new PointerPointer<>((Pointer) null);
        PointerPointer<BytePointer> words = new PointerPointer<>(options.toArray(String[]::new))) {
      check(nvrtc.nvrtcCreateProgram(program, text, label, 0, none, none), name);
      int result = nvrtc.nvrtcCompileProgram(program, options.size(), words);
      if (result != 0) {
        throw new GossamerException(
            "Cannot compile " + name + " for the card: " + firstError(log(program)), "");
      }
      return image(program, name);
    } finally {
      nvrtc.nvrtcDestroyProgram(program);
      program.close();
    }
  }

  private static byte[] image(_nvrtcProgram program, String name) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check(nvrtc.nvrtcGetCUBINSize(program, size), name);
      byte[] image = new byte[Math.toIntExact(size.get())];
      check(nvrtc.nvrtcGetCUBIN(program, image), name);
      return image;
    }
  }

  private static String log(_nvrtcProgram program) {
    try (SizeTPointer size = new SizeTPointer(1)) {
      check(nvrtc.nvrtcGetProgramLogSize(program, size), "reading its log");
      byte[] log = new byte[Math.toIntExact(size.get())];
      check(nvrtc.nvrtcGetProgramLog(program, log), "reading its log");
      return new String(log, java.nio.charset.StandardCharsets.UTF_8);
    }
  }

  private static String firstError(String log) {
    return log.lines()
        .filter(line -> line.contains("error"))
        .findFirst()
        .orElse(log.lines().findFirst().orElse("no message"))
        .strip();
  }

  private static void check(int code, String what) {
    if (code != 0) {
      try (BytePointer text = nvrtc.nvrtcGetErrorString(code)) {
        throw new GossamerException("NVRTC failed in " + what + ": " + text.getString(), "");
      }
    }
  }
}
