package dev.gossamer.tensor.weights;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The tensors of one model folder, in one safetensors file or in shards named by an index. The
 * unsharded file wins if both are there; a variant infix such as {@code .fp16} is understood.
 */
public final class TensorFiles {
  private static final String[] STEMS = {"diffusion_pytorch_model", "model"};
  private static final String[] VARIANTS = {"", ".fp32", ".bf16", ".fp16"};

  private final Path folder;
  private final Map<String, SafetensorsFile> byName;
  private final Map<String, SafetensorsFile.Entry> entries;
  private final List<SafetensorsFile> files;

  private TensorFiles(
      Path folder, Map<String, SafetensorsFile> byName, List<SafetensorsFile> files) {
    this.folder = folder;
    this.byName = byName;
    Map<String, SafetensorsFile.Entry> all = new TreeMap<>();
    byName.forEach((name, file) -> all.put(name, file.entries().get(name)));
    this.entries = Collections.unmodifiableMap(all);
    this.files = List.copyOf(files);
  }

  /**
   * @throws BadInputException if the folder holds no weights, or its index and files disagree
   */
  public static TensorFiles in(Path folder) {
    for (String stem : STEMS) {
      for (String variant : VARIANTS) {
        Path single = folder.resolve(stem + variant + ".safetensors");
        if (Files.isRegularFile(single)) {
          SafetensorsFile file = SafetensorsFile.open(single);
          Map<String, SafetensorsFile> byName = new TreeMap<>();
          file.entries().keySet().forEach(name -> byName.put(name, file));
          return new TensorFiles(folder, byName, List.of(file));
        }
      }
    }
    for (String stem : STEMS) {
      for (String variant : VARIANTS) {
        Path index = folder.resolve(stem + ".safetensors.index" + variant + ".json");
        if (Files.isRegularFile(index)) {
          return sharded(folder, index);
        }
      }
    }
    throw new BadInputException(
        "No weights in " + folder,
        "Expected diffusion_pytorch_model.safetensors or model.safetensors, or shards with an index");
  }

  private static TensorFiles sharded(Path folder, Path index) {
    JsonNode weightMap;
    try {
      weightMap = new ObjectMapper().readTree(index.toFile()).path("weight_map");
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + index + ": it is not valid JSON", "Download it again", e);
    }
    if (!weightMap.isObject() || weightMap.isEmpty()) {
      throw new BadInputException(
          "Cannot read " + index + ": it has no weight_map", "Download it again");
    }
    Path home = folder.toAbsolutePath().normalize();
    Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
    Map<String, SafetensorsFile> byName = new TreeMap<>();
    for (Map.Entry<String, JsonNode> entry : weightMap.properties()) {
      String shardName = entry.getValue().asText();
      if (!isIn(home, shardName)) {
        throw new BadInputException(
            "Cannot use " + index + ": it names the file '" + shardName + "' outside of its folder",
            "Download it again");
      }
      SafetensorsFile file =
          shards.computeIfAbsent(shardName, name -> SafetensorsFile.open(folder.resolve(name)));
      if (!file.entries().containsKey(entry.getKey())) {
        throw new BadInputException(
            "Cannot use " + index + ": " + shardName + " lacks the tensor '" + entry.getKey() + "'",
            "Download both again");
      }
      byName.put(entry.getKey(), file);
    }
    return new TensorFiles(folder, byName, new ArrayList<>(shards.values()));
  }

  /** Whether a name from outside is that of a file right in the folder. */
  private static boolean isIn(Path home, String name) {
    try {
      return home.equals(home.resolve(name).normalize().getParent());
    } catch (InvalidPathException e) {
      return false;
    }
  }

  public Path folder() {
    return folder;
  }

  public List<SafetensorsFile> files() {
    return files;
  }

  /** What is known of each tensor, by name. */
  public Map<String, SafetensorsFile.Entry> entries() {
    return entries;
  }

  public boolean has(String name) {
    return byName.containsKey(name);
  }

  /**
   * Maps one tensor from disk; it belongs to the current scope and must not be changed in place.
   */
  public Tensor tensor(String name) {
    SafetensorsFile file = byName.get(name);
    if (file == null) {
      throw new BadInputException(
          "No tensor '" + name + "' in " + folder, "Is this checkpoint complete?");
    }
    return file.tensor(name);
  }
}
