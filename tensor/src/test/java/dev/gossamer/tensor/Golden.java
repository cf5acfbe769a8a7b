package dev.gossamer.tensor;

import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;

/** Reference values in test resources, made by independent programs. */
public final class Golden {
  private final SafetensorsFile file;

  private Golden(SafetensorsFile file) {
    this.file = file;
  }

  /**
   * A safetensors file among the test resources, for example {@code /goldens/rng/io.safetensors}.
   */
  public static Golden open(String resource) {
    return new Golden(SafetensorsFile.open(path(resource)));
  }

  /** A test resource as a file. */
  public static Path path(String resource) {
    URL url = Golden.class.getResource(resource);
    if (url == null) {
      throw new IllegalArgumentException("No test resource " + resource);
    }
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new UncheckedIOException(new java.io.IOException(e));
    }
  }

  public Tensor tensor(String name) {
    return file.tensor(name);
  }

  public boolean has(String name) {
    return file.entries().containsKey(name);
  }

  /** max |a - b|, in float64; NaN if either holds one. */
  public static double maxDifference(Tensor a, Tensor b) {
    try (Scope scope = Scope.open()) {
      return a.to(DType.FLOAT64).sub(b.to(DType.FLOAT64)).abs().amax().item();
    }
  }

  /** ||a - b|| / ||b||, in float64. */
  public static double relativeError(Tensor a, Tensor b) {
    try (Scope scope = Scope.open()) {
      Tensor reference = b.to(DType.FLOAT64);
      double distance = a.to(DType.FLOAT64).sub(reference).square().sum().item();
      return Math.sqrt(distance / reference.square().sum().item());
    }
  }
}
