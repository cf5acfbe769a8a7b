package dev.gossamer.video.wan;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The transformer of golden wan_i2v: its own tensors, and those that it shares with wan_pipeline.
 */
final class ImageGolden {
  private static final Path OWN = Golden.path("/goldens/wan_i2v/transformer/own.safetensors");

  private ImageGolden() {}

  /** Writes it into a new folder, in diffusers' layout. */
  static Path transformer(Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.copy(OWN.resolveSibling("config.json"), folder.resolve("config.json"));
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> all = new LinkedHashMap<>();
      TensorFiles shared =
          TensorFiles.in(Golden.path("/goldens/wan_pipeline/checkpoint/transformer"));
      shared.entries().keySet().forEach(name -> all.put(name, shared.tensor(name)));
      SafetensorsFile own = SafetensorsFile.open(OWN);
      own.entries().keySet().forEach(name -> all.put(name, own.tensor(name)));
      SafetensorsWriter.write(folder.resolve("diffusion_pytorch_model.safetensors"), all, Map.of());
    }
    return folder;
  }
}
