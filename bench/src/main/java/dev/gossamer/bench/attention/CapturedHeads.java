package dev.gossamer.bench.attention;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The captured tensors as a file that can be mapped. */
final class CapturedHeads {
  private static final String RESOURCE = "qkv.safetensors";

  private final SafetensorsFile file;

  private CapturedHeads(SafetensorsFile file) {
    this.file = file;
  }

  /**
   * Finds the file; if this module lies in a jar, it is copied out for as long as this process
   * runs.
   *
   * @throws EnvironmentException if the copy cannot be written
   */
  static CapturedHeads open() {
    URL resource = CapturedHeads.class.getResource(RESOURCE);
    if (resource == null) {
      throw new EnvironmentException(
          "The captured queries, keys and values are not in this bundle",
          "Make one without --without captures, or measure a card by --device cuda");
    }
    if (resource.getProtocol().equals("file")) {
      try {
        return new CapturedHeads(SafetensorsFile.open(Path.of(resource.toURI())));
      } catch (URISyntaxException e) {
        throw new IllegalStateException("No file at " + resource, e);
      }
    }
    try (InputStream stream = CapturedHeads.class.getResourceAsStream(RESOURCE)) {
      Path copy = Files.createTempFile("gossamer-qkv-", ".safetensors");
      copy.toFile().deleteOnExit();
      Files.copy(stream, copy, StandardCopyOption.REPLACE_EXISTING);
      return new CapturedHeads(SafetensorsFile.open(copy));
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot copy the captured tensors into the folder for temporary files: " + e.getMessage(),
          "Make room there, or name another with -Djava.io.tmpdir",
          e);
    }
  }

  /**
   * The first tokens of a head, as several equal heads, in memory of their own.
   *
   * @param copies heads of the result
   * @param dtype of the result; the file itself is bf16
   * @return {@code [1, copies, tokens, 64]} each, in the current scope
   */
  QueryKeyValue load(CapturedHead head, int tokens, int copies, DType dtype) {
    return new QueryKeyValue(
        tensor(head, "q", tokens, copies, dtype),
        tensor(head, "k", tokens, copies, dtype),
        tensor(head, "v", tokens, copies, dtype));
  }

  private Tensor tensor(CapturedHead head, String part, int tokens, int copies, DType dtype) {
    try (Scope scope = Scope.open()) {
      Tensor one = file.tensor(head.tensors() + "." + part).narrow(0, 0, tokens).to(dtype);
      return scope.keep(one.unsqueeze(0).unsqueeze(0).repeat(1, copies, 1, 1));
    }
  }
}
