package dev.gossamer.tensor.weights;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * The tensors of one model: of its folder, in one safetensors file or in shards named by an index
 * (the unsharded file wins if both are there; a variant infix such as {@code .fp16} is understood),
 * or of any one file. They may be seen under other names than they are stored under.
 */
public final class TensorFiles {
  private static final String[] STEMS = {"diffusion_pytorch_model", "model"};
  private static final String[] VARIANTS = {"", ".fp32", ".bf16", ".fp16"};

  private static final int MAX_SIZE = 1 << 30;
  private static final String KERNELS_OWN =
      "(.*\\.)?(scaled_fp8|scale_input|input_scale|comfy_quant)";

  private final Path origin;
  private final Map<String, Stored> tensors;
  private final Map<String, SafetensorsFile.Entry> entries;
  private final List<SafetensorsFile> files;

  /** What is known of a tensor, and how to get it. */
  private record Stored(SafetensorsFile.Entry entry, Supplier<Tensor> tensor) {
    static Stored in(SafetensorsFile file, String name) {
      return new Stored(file.entries().get(name), () -> file.tensor(name));
    }
  }

  private TensorFiles(Path origin, Map<String, Stored> tensors, List<SafetensorsFile> files) {
    this.origin = origin;
    this.tensors = new TreeMap<>(tensors);
    Map<String, SafetensorsFile.Entry> all = new TreeMap<>();
    tensors.forEach((name, stored) -> all.put(name, stored.entry()));
    this.entries = Collections.unmodifiableMap(all);
    this.files = List.copyOf(files);
  }

  /**
   * @throws BadInputException if the folder holds no weights, or its index and files disagree
   */
  public static TensorFiles in(Path folder) {
    return find(folder)
        .orElseThrow(
            () ->
                new BadInputException(
                    "No weights in " + folder,
                    "Expected diffusion_pytorch_model.safetensors or model.safetensors, or shards"
                        + " with an index"));
  }

  /**
   * As {@link #in}; empty if the folder holds no weights under the usual names.
   *
   * @throws BadInputException if its index and files disagree, or a file is damaged
   */
  public static Optional<TensorFiles> find(Path folder) {
    for (String stem : STEMS) {
      for (String variant : VARIANTS) {
        Path single = folder.resolve(stem + variant + ".safetensors");
        if (Files.isRegularFile(single)) {
          return Optional.of(of(folder, single));
        }
      }
    }
    for (String stem : STEMS) {
      for (String variant : VARIANTS) {
        Path index = folder.resolve(stem + ".safetensors.index" + variant + ".json");
        if (Files.isRegularFile(index)) {
          return Optional.of(sharded(folder, index));
        }
      }
    }
    return Optional.empty();
  }

  /**
   * The tensors of one safetensors file, whatever it is called.
   *
   * @throws BadInputException if the file is missing or damaged
   */
  public static TensorFiles of(Path file) {
    return of(file, file);
  }

  private static TensorFiles of(Path origin, Path single) {
    SafetensorsFile file = SafetensorsFile.open(single);
    Map<String, Stored> tensors = new TreeMap<>();
    file.entries().keySet().forEach(name -> tensors.put(name, Stored.in(file, name)));
    return new TensorFiles(origin, tensors, List.of(file));
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
    Map<String, Stored> tensors = new TreeMap<>();
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
      tensors.put(entry.getKey(), Stored.in(file, entry.getKey()));
    }
    return new TensorFiles(folder, tensors, new ArrayList<>(shards.values()));
  }

  /** Whether a name from outside is that of a file right in the folder. */
  private static boolean isIn(Path home, String name) {
    try {
      return home.equals(home.resolve(name).normalize().getParent());
    } catch (InvalidPathException e) {
      return false;
    }
  }

  /**
   * The tensors whose names begin so, without that beginning; the others are left out.
   *
   * @param prefix for example {@code model.diffusion_model.}
   */
  public TensorFiles under(String prefix) {
    if (prefix.isEmpty()) {
      return this;
    }
    Map<String, Stored> inside = new TreeMap<>();
    tensors.forEach(
        (name, stored) -> {
          if (name.startsWith(prefix)) {
            String inner = name.substring(prefix.length());
            inside.put(inner, new Stored(stored.entry().named(inner), stored.tensor()));
          }
        });
    return new TensorFiles(origin, inside, files);
  }

  /** The same tensors, those of some names as matrices if all axes behind the second are 1. */
  public TensorFiles flattened(Predicate<String> names) {
    Map<String, Stored> all = new TreeMap<>(tensors);
    all.replaceAll(
        (name, stored) -> {
          List<Long> shape = stored.entry().shape();
          boolean flat =
              names.test(name)
                  && shape.size() > 2
                  && shape.subList(2, shape.size()).stream().allMatch(size -> size == 1);
          return flat
              ? new Stored(
                  stored.entry().shaped(shape.subList(0, 2)),
                  () -> stored.tensor().get().flatten(1, -1))
              : stored;
        });
    return new TensorFiles(origin, all, files);
  }

  /** The tensors but those of some names. */
  public TensorFiles without(Predicate<String> names) {
    Map<String, Stored> kept = new TreeMap<>(tensors);
    kept.keySet().removeIf(names);
    return new TensorFiles(origin, kept, files);
  }

  /**
   * The same tensors under a model's own names. What is stored under none of them keeps its name.
   *
   * @param names for each name of the model, where its numbers are stored; names whose place is not
   *     there stay missing
   */
  public TensorFiles renamed(Map<String, StoredAs> names) {
    Map<String, Stored> seen = new TreeMap<>(tensors);
    names.values().forEach(place -> seen.remove(place.name()));
    names.forEach(
        (name, place) -> {
          Stored stored = tensors.get(place.name());
          if (stored != null) {
            seen.put(
                name,
                new Stored(
                    place.entry(name, stored.entry()), () -> place.of(stored.tensor().get())));
          }
        });
    return new TensorFiles(origin, seen, files);
  }

  /**
   * The same tensors, some of them changed when they are read.
   *
   * @param changes by name; each gets the stored tensor and returns one of its shape, both in the
   *     current scope
   */
  public TensorFiles changed(Map<String, UnaryOperator<Tensor>> changes) {
    Map<String, Stored> all = new TreeMap<>(tensors);
    changes.forEach(
        (name, change) ->
            all.computeIfPresent(
                name,
                (key, stored) ->
                    new Stored(stored.entry(), () -> change.apply(stored.tensor().get()))));
    return new TensorFiles(origin, all, files);
  }

  /**
   * Weights of 8 bits times the scale that is stored beside them: {@code x.scale_weight} or {@code
   * x.weight_scale}, one number for {@code x.weight}. What else such files hold for their own
   * kernels is left out.
   *
   * @throws BadInputException if a weight has more than one scale
   */
  public TensorFiles unscaled() {
    Map<String, UnaryOperator<Tensor>> changes = new TreeMap<>();
    Map<String, Stored> kept = new TreeMap<>(tensors);
    kept.keySet().removeIf(name -> name.matches(KERNELS_OWN));
    tensors.forEach(
        (name, scale) -> {
          String weight = name.replaceFirst("\\.(scale_weight|weight_scale)$", ".weight");
          if (!weight.equals(name) && kept.remove(name) != null && tensors.containsKey(weight)) {
            if (scale.entry().shape().stream().anyMatch(size -> size != 1)) {
              throw new BadInputException(
                  "Cannot use " + origin + ": '" + name + "' holds scales of blocks",
                  "Use the model in bf16, fp16, or in 8 bits with one scale for each tensor");
            }
            changes.put(
                weight,
                stored ->
                    stored
                        .to(DType.FLOAT32)
                        .mul(scale.tensor().get().to(DType.FLOAT32).reshape(1)));
          }
        });
    return new TensorFiles(origin, kept, files).changed(changes);
  }

  /** The folder of the files, or the single file. */
  public Path origin() {
    return origin;
  }

  public List<SafetensorsFile> files() {
    return files;
  }

  /** What is known of each tensor, by name. */
  public Map<String, SafetensorsFile.Entry> entries() {
    return entries;
  }

  public boolean has(String name) {
    return tensors.containsKey(name);
  }

  /**
   * One size of a tensor.
   *
   * @throws BadInputException if there is no such tensor, or it has no such axis
   */
  public int size(String name, int axis) {
    SafetensorsFile.Entry entry = entries.get(name);
    if (entry == null || entry.shape().size() <= axis || entry.shape().get(axis) > MAX_SIZE) {
      throw new BadInputException(
          "Cannot tell the sizes of the model in "
              + origin
              + ": '"
              + name
              + "' is "
              + (entry == null ? "missing" : entry.shape()),
          "Is the download complete?");
    }
    return Math.toIntExact(entry.shape().get(axis));
  }

  /**
   * What stands before a name in these files: the shortest beginning, empty or ending in a dot,
   * with which a tensor is there.
   */
  public Optional<String> prefixOf(String name) {
    return tensors.keySet().stream()
        .filter(stored -> stored.endsWith(name))
        .map(stored -> stored.substring(0, stored.length() - name.length()))
        .filter(prefix -> prefix.isEmpty() || prefix.endsWith("."))
        .min(Comparator.comparingInt(String::length));
  }

  /** How many there are of something numbered from 0, told by one of its tensors. */
  public int count(IntFunction<String> name) {
    int count = 0;
    while (has(name.apply(count))) {
      count++;
    }
    return count;
  }

  /**
   * Maps one tensor from disk; it belongs to the current scope and must not be changed in place.
   */
  public Tensor tensor(String name) {
    Stored stored = tensors.get(name);
    if (stored == null) {
      throw new BadInputException(
          "No tensor '" + name + "' in " + origin, "Is this checkpoint complete?");
    }
    return stored.tensor().get();
  }
}
