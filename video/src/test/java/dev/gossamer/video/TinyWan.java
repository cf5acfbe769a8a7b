package dev.gossamer.video;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * A tiny random Wan checkpoint in diffusers' layout whose sizes can be told from its tensors: heads
 * of 128, 16 latent channels. Text encoder and tokenizer are those of golden wan_pipeline.
 */
final class TinyWan {
  private static final ObjectMapper JSON = new ObjectMapper();

  private TinyWan() {}

  /** Writes it into a new folder. */
  static Path write(Path folder) throws IOException {
    Path golden = Golden.path("/goldens/wan_pipeline/checkpoint");
    try (Stream<Path> paths = Files.walk(golden)) {
      for (Path path : paths.toList()) {
        Path copy = folder.resolve(golden.relativize(path).toString());
        if (Files.isDirectory(path)) {
          Files.createDirectories(copy);
        } else if (!path.toString().matches(".*(transformer|vae).*safetensors")) {
          Files.copy(path, copy);
        }
      }
    }
    Path transformer = folder.resolve("transformer/config.json");
    config(
        transformer,
        config ->
            config
                .put("num_attention_heads", 1)
                .put("attention_head_dim", 128)
                .put("in_channels", 16)
                .put("out_channels", 16)
                .put("rope_max_seq_len", 1024));
    config(
        folder.resolve("vae/config.json"),
        config -> {
          config.remove("latents_mean");
          config.remove("latents_std");
          return config.put("z_dim", 16);
        });
    Checkpoint checkpoint = Checkpoint.open(folder);
    for (VideoFamily.Component component : TextToVideo.family(checkpoint).components(checkpoint)) {
      if (!component.name().equals("text_encoder")) {
        weights(component, folder.resolve(component.name()));
      }
    }
    return folder;
  }

  private static void config(Path file, UnaryOperator<ObjectNode> change) throws IOException {
    JSON.writeValue(file.toFile(), change.apply((ObjectNode) JSON.readTree(file.toFile())));
  }

  private static void weights(VideoFamily.Component component, Path folder) {
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached();
        Generator generator = Generator.seeded(5)) {
      Parameters outline = Parameters.outline(owner);
      component.model().accept(outline);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      outline
          .asked()
          .forEach(
              (name, sizes) -> {
                long[] shape = sizes.stream().mapToLong(Long::longValue).toArray();
                long count = sizes.stream().reduce(1L, Math::multiplyExact);
                double spread = 1 / Math.sqrt(Math.max(8, (double) count / shape[0]));
                Tensor random = generator.normal(shape).mul(spread);
                boolean gain = name.endsWith("gamma") || name.matches(".*norm[^.]*\\.weight");
                tensors.put(name, gain ? random.add(1) : random);
              });
      SafetensorsWriter.write(
          folder.resolve("diffusion_pytorch_model.safetensors"), tensors, Map.of());
    }
  }

  /** A component's tensors under other names, in a file of their own. */
  static void repack(Path component, Path file, UnaryOperator<String> naming) {
    try (Scope scope = Scope.open()) {
      dev.gossamer.tensor.weights.TensorFiles files =
          dev.gossamer.tensor.weights.TensorFiles.in(component);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      files.entries().keySet().forEach(name -> tensors.put(naming.apply(name), files.tensor(name)));
      SafetensorsWriter.write(file, tensors, Map.of());
    }
  }
}
