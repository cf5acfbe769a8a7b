package dev.gossamer.video;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The changes that a {@link LoraFile} makes to a transformer: W + scale (alpha / rank) up down for
 * each module that it names, in float32, and plain differences of weights and biases.
 *
 * <p>Keys are {@code prefix module role}. The prefix is {@code transformer.}, {@code
 * diffusion_model.}, {@code lora_unet_}, .. or none; the module is called as in diffusers or as by
 * the model's makers, with dots or underscores; the role is {@code lora_A} and {@code lora_B}, or
 * {@code lora_down}, {@code lora_up} and {@code alpha}, or {@code diff} and {@code diff_b}.
 */
final class LoraMerge {
  private static final Pattern PREFIX =
      Pattern.compile(
          "^(base_model\\.model\\.|model\\.diffusion_model\\.|diffusion_model\\.|transformer\\."
              + "|lora_unet_|lora_transformer_)");

  /** What a tensor of the file is to its module. */
  private enum Role {
    DOWN("\\.lora_(A|down)(\\.default)?(\\.weight)?"),
    UP("\\.lora_(B|up)(\\.default)?(\\.weight)?"),
    ALPHA("\\.alpha"),
    WEIGHT("\\.diff"),
    BIAS("\\.(diff_b|lora_B\\.bias)");

    private final Pattern ending;

    Role(String ending) {
      this.ending = Pattern.compile(ending + "$");
    }
  }

  private final LoraFile lora;
  private final SafetensorsFile file;
  private final Map<String, EnumMap<Role, String>> modules = new TreeMap<>();

  private LoraMerge(LoraFile lora) {
    this.lora = lora;
    this.file = SafetensorsFile.open(lora.file());
    file.entries().keySet().forEach(this::add);
    modules.forEach(
        (module, roles) -> {
          if (roles.containsKey(Role.DOWN) != roles.containsKey(Role.UP)
              || roles.containsKey(Role.ALPHA) && !roles.containsKey(Role.UP)) {
            throw bad("'" + roles.values().iterator().next() + "' lacks its other half");
          }
        });
  }

  private void add(String key) {
    for (Role role : Role.values()) {
      Matcher ending = role.ending.matcher(key);
      if (ending.find()) {
        modules
            .computeIfAbsent(flat(key.substring(0, ending.start())), m -> new EnumMap<>(Role.class))
            .put(role, key);
        return;
      }
    }
    throw bad(
        "'"
            + key
            + "' is no tensor of a LoRA (lora_A and lora_B, lora_down, lora_up and alpha, diff)");
  }

  /** A module's name without prefix, its parts joined by underscores. */
  private static String flat(String module) {
    String bare = module;
    for (Matcher at = PREFIX.matcher(bare); at.find(); at = PREFIX.matcher(bare)) {
      bare = bare.substring(at.end());
    }
    return bare.replace('.', '_');
  }

  private BadInputException bad(String what) {
    return LoraDelta.bad(lora, what);
  }

  /**
   * The transformer with the changes, made when its tensors are read.
   *
   * @param transformer under diffusers' names
   * @param original what its makers call its tensors
   * @throws BadInputException if the file has keys of another kind or for another model, or sizes
   *     that do not fit
   */
  static TensorFiles into(TensorFiles transformer, Map<String, StoredAs> original, LoraFile lora) {
    return transformer.changed(new LoraMerge(lora).changes(transformer, original));
  }

  /** A tensor of the model, and which rows of a module's change are its own. */
  private record Target(String name, StoredAs rows) {}

  private Map<String, UnaryOperator<Tensor>> changes(
      TensorFiles transformer, Map<String, StoredAs> original) {
    Map<String, List<Target>> targets = targets(transformer, original);
    Map<String, UnaryOperator<Tensor>> changes = new LinkedHashMap<>();
    List<String> unknown = new ArrayList<>();
    modules.forEach(
        (module, roles) -> {
          List<Target> weights = targets.getOrDefault(module + ".weight", List.of());
          List<Target> biases = targets.getOrDefault(module + ".bias", List.of());
          if (weights.isEmpty() || roles.containsKey(Role.BIAS) && biases.isEmpty()) {
            unknown.add(roles.values().iterator().next());
            return;
          }
          if (roles.containsKey(Role.UP)) {
            weights.forEach(
                target ->
                    add(
                        changes,
                        transformer,
                        target,
                        LoraDelta.lowRank(
                            lora,
                            file,
                            roles.get(Role.DOWN),
                            roles.get(Role.UP),
                            Optional.ofNullable(roles.get(Role.ALPHA)))));
          }
          if (roles.containsKey(Role.WEIGHT)) {
            weights.forEach(
                target ->
                    add(
                        changes,
                        transformer,
                        target,
                        LoraDelta.plain(lora, file, roles.get(Role.WEIGHT))));
          }
          if (roles.containsKey(Role.BIAS)) {
            biases.forEach(
                target ->
                    add(
                        changes,
                        transformer,
                        target,
                        LoraDelta.plain(lora, file, roles.get(Role.BIAS))));
          }
        });
    if (!unknown.isEmpty()) {
      throw bad(
          unknown.size() == modules.size()
              ? "none of its keys belongs to the transformer, as '" + unknown.get(0) + "'"
              : "'"
                  + unknown.get(0)
                  + "'"
                  + (unknown.size() > 1 ? " and " + (unknown.size() - 1) + " more" : "")
                  + " belong to nothing in the transformer");
    }
    return changes;
  }

  /** Every name that a module may have, flat, with {@code .weight} or {@code .bias}. */
  private static Map<String, List<Target>> targets(
      TensorFiles transformer, Map<String, StoredAs> original) {
    Map<String, List<Target>> targets = new HashMap<>();
    for (String name : transformer.entries().keySet()) {
      target(targets, name, new Target(name, StoredAs.all(name)));
      StoredAs place = original.get(name);
      if (place != null && !place.name().equals(name)) {
        target(targets, place.name(), new Target(name, place));
      }
    }
    return targets;
  }

  private static void target(Map<String, List<Target>> targets, String called, Target target) {
    String kind = called.endsWith(".bias") ? ".bias" : ".weight";
    String module =
        called.endsWith(kind) ? called.substring(0, called.length() - kind.length()) : called;
    targets.computeIfAbsent(flat(module) + kind, m -> new ArrayList<>()).add(target);
  }

  private static void add(
      Map<String, UnaryOperator<Tensor>> changes,
      TensorFiles transformer,
      Target target,
      LoraDelta delta) {
    List<Long> shape = transformer.entries().get(target.name()).shape();
    delta.check(target.name(), shape, target.rows());
    long[] sizes = shape.stream().mapToLong(Long::longValue).toArray();
    UnaryOperator<Tensor> change =
        stored -> stored.to(DType.FLOAT32).add(target.rows().of(delta.make().get()).reshape(sizes));
    changes.merge(
        target.name(), change, (first, second) -> stored -> second.apply(first.apply(stored)));
  }
}
