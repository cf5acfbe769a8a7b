package dev.gossamer.lm.huggingface;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The tiny checkpoints in the resources. */
final class Goldens {
  static final String WEIGHTS = "model.safetensors";

  private static final String TOKENIZER = "tokenizer.json";
  private static final Pattern EXPERT = Pattern.compile("(.*experts\\.)(\\d+)\\.(\\w+)\\.weight");

  private Goldens() {}

  static Path of(String name) {
    try {
      return Path.of(Goldens.class.getResource("/goldens/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static SafetensorsFile io(String name) {
    return SafetensorsFile.open(of(name).resolve("io.safetensors"));
  }

  static int[] ids(String name, String tensor) {
    try (Scope scope = Scope.open()) {
      return io(name).tensor(tensor).toInts();
    }
  }

  /** A folder that may be changed, with the tokenizer that several have. */
  static Path copy(String name, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(of(name))) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()));
      }
    }
    if (Files.notExists(to.resolve(TOKENIZER))) {
      Files.copy(of("mixtral").resolve(TOKENIZER), to.resolve(TOKENIZER));
    }
    return to;
  }

  /**
   * Puts the experts of each layer into one tensor, under the names that transformers has in
   * memory.
   */
  static void merge(Path folder) {
    try (Scope scope = Scope.open()) {
      SafetensorsFile stored = SafetensorsFile.open(folder.resolve(WEIGHTS));
      Map<String, Tensor> all = new TreeMap<>();
      Map<String, Map<Integer, Map<String, Tensor>>> stacks = new TreeMap<>();
      for (String name : stored.entries().keySet()) {
        Matcher expert = EXPERT.matcher(name);
        Tensor tensor = stored.tensor(name).mul(1); // the file itself is replaced
        if (expert.matches()) {
          stacks
              .computeIfAbsent(inMemory(expert.group(1)), prefix -> new TreeMap<>())
              .computeIfAbsent(Integer.valueOf(expert.group(2)), number -> new TreeMap<>())
              .put(expert.group(3), tensor);
        } else {
          all.put(inMemory(name), tensor);
        }
      }
      stacks.forEach((prefix, experts) -> stack(prefix, experts.values(), all));
      SafetensorsWriter.write(folder.resolve(WEIGHTS), all, Map.of());
    }
  }

  private static String inMemory(String name) {
    return name.replace("block_sparse_moe", "mlp").replace("backbone.", "model.");
  }

  private static void stack(
      String prefix, Iterable<Map<String, Tensor>> experts, Map<String, Tensor> into) {
    List<Tensor> ups = new ArrayList<>();
    List<Tensor> downs = new ArrayList<>();
    boolean gated = false;
    for (Map<String, Tensor> of : experts) {
      if (of.containsKey("w1")) { // Mixtral's names
        ups.add(Tensor.cat(0, of.get("w1"), of.get("w3")));
        downs.add(of.get("w2"));
        gated = true;
      } else {
        gated = of.containsKey("gate_proj");
        ups.add(gated ? Tensor.cat(0, of.get("gate_proj"), of.get("up_proj")) : of.get("up_proj"));
        downs.add(of.get("down_proj"));
      }
    }
    into.put(prefix + (gated ? "gate_up_proj" : "up_proj"), Tensor.stack(0, ups));
    into.put(prefix + "down_proj", Tensor.stack(0, downs));
  }
}
