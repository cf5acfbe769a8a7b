package dev.gossamer.cli;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.nio.file.Path;

/** Frames that a run saved. */
final class FrameFiles {
  private FrameFiles() {}

  /** L2 of the difference over L2 of the reference, both about their middle grey. */
  static double relativeError(Path file, Path reference) {
    try (Scope scope = Scope.open()) {
      return Golden.relativeError(
          SafetensorsFile.open(file).tensor("frames").sub(0.5),
          SafetensorsFile.open(reference).tensor("frames").sub(0.5));
    }
  }
}
