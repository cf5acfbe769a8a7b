package dev.gossamer.tensor.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Machine code by NVRTC or, where it is not here, nvcc; without both the test is left out. */
public final class CompiledKernels {
  private CompiledKernels() {}

  public static byte[] image(
      Path temp, KernelSource source, String architecture, List<String> options)
      throws IOException, InterruptedException {
    try {
      return source.compile(architecture, options);
    } catch (EnvironmentException e) {
      return byNvcc(temp, source, architecture, options, e.getMessage());
    }
  }

  private static byte[] byNvcc(
      Path temp, KernelSource source, String architecture, List<String> options, String otherwise)
      throws IOException, InterruptedException {
    Path file = Files.writeString(temp.resolve(source.name()), source.code());
    Path image = temp.resolve("image.cubin");
    ProcessBuilder nvcc =
        new ProcessBuilder(
                "nvcc",
                "-cubin",
                "-std=c++17",
                "-arch=" + architecture,
                "-o",
                image + "",
                file + "")
            .redirectErrorStream(true);
    nvcc.command().addAll(1, options);
    Process process;
    try {
      process = nvcc.start();
    } catch (IOException e) {
      return abort("neither NVRTC nor nvcc is here: " + otherwise);
    }
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    return Files.readAllBytes(image);
  }
}
