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
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The changes that a {@link LoraFile} makes to a model: W + scale (alpha / rank) up down for each
 * module that it names, in float32, and plain differences of weights and biases.
 *
 * <p>Keys are {@code prefix module role}. The prefix tells the component: {@code text_encoder.},
 * {@code text_encoder_2.}, {@code lora_te_}, {@code lora_te1_} or {@code lora_te2_} a text encoder,
 * {@code transformer.}, {@code diffusion_model.}, {@code lora_unet_}, .. or none the transformer.
 * The module is called as in diffusers or as by the model's makers, with dots or underscores; the
 * role is {@code lora_A} and {@code lora_B}, or {@code lora_down}, {@code lora_up} and {@code
 * alpha}, or {@code diff} and {@code diff_b}.
 */
final class LoraMerge {
  private static final String TRANSFORMER = CheckpointSource.TRANSFORMER;
  private static final List<String> TEXT_ENCODERS = List.of("text_encoder", "text_encoder_2");

  /** Components that a file may change. */
  static final List<String> COMPONENTS =
      List.of(TRANSFORMER, TEXT_ENCODERS.get(0), TEXT_ENCODERS.get(1));

  private static final Pattern PREFIX =
      Pattern.compile(
          "^(base_model\\.model\\.|model\\.diffusion_model\\.|diffusion_model\\.|transformer\\."
              + "|lora_unet_|lora_transformer_)");

  private static final Pattern TEXT_PREFIX =
      Pattern.compile("^(?:base_model\\.model\\.)?(?:text_encoder(_2)?\\.|lora_te([12]?)_)");

  /** What stands before the names of a text encoder, or not, by who wrote it. */
  private static final Pattern TEXT_ROOT =
      Pattern.compile("^(text_model_|(language_model_)?model_)");

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

  /**
   * A module that the file changes.
   *
   * @param components that it may be one of, the first that has it
   * @param name without prefix, its parts joined by underscores
   */
  private record Module(List<String> components, String name) {
    static Module of(String key) {
      Matcher text = TEXT_PREFIX.matcher(key);
      if (text.find()) {
        boolean any = "".equals(text.group(2)); // lora_te_
        boolean second = text.group(1) != null || "2".equals(text.group(2));
        return new Module(
            any ? TEXT_ENCODERS : List.of(TEXT_ENCODERS.get(second ? 1 : 0)),
            flat(TEXT_ENCODERS.get(0), key.substring(text.end())));
      }
      return new Module(List.of(TRANSFORMER), flat(TRANSFORMER, key));
    }
  }

  private final LoraFile lora;
  private final SafetensorsFile file;
  private final Map<Module, EnumMap<Role, String>> modules = new LinkedHashMap<>();

  private LoraMerge(LoraFile lora) {
    this.lora = lora;
    this.file = SafetensorsFile.open(lora.file());
    new TreeSet<>(file.entries().keySet()).forEach(this::add);
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
            .computeIfAbsent(
                Module.of(key.substring(0, ending.start())), m -> new EnumMap<>(Role.class))
            .put(role, key);
        return;
      }
    }
    throw bad(
        "'"
            + key
            + "' is no tensor of a LoRA (lora_A and lora_B, lora_down, lora_up and alpha, diff)");
  }

  /** A module's name within its component, its parts joined by underscores. */
  private static String flat(String component, String module) {
    String bare = module;
    if (component.equals(TRANSFORMER)) {
      for (Matcher at = PREFIX.matcher(bare); at.find(); at = PREFIX.matcher(bare)) {
        bare = bare.substring(at.end());
      }
      return bare.replace('.', '_');
    }
    return TEXT_ROOT.matcher(bare.replace('.', '_')).replaceFirst("");
  }

  private BadInputException bad(String what) {
    return LoraDelta.bad(lora, what);
  }

  /**
   * The components that a file changes; the changes are made when their tensors are read.
   *
   * @param components of {@link #COMPONENTS} those that the model has, under diffusers' and
   *     transformers' names
   * @param original what its makers call the transformer's tensors
   * @throws BadInputException if the file has keys of another kind or for another model, or sizes
   *     that do not fit
   */
  static Map<String, TensorFiles> into(
      Map<String, TensorFiles> components, Map<String, StoredAs> original, LoraFile lora) {
    Map<String, TensorFiles> changed = new TreeMap<>();
    new LoraMerge(lora)
        .changes(components, original)
        .forEach(
            (component, changes) ->
                changed.put(component, components.get(component).changed(changes)));
    return changed;
  }

  /** A tensor of the model, and which rows of a module's change are its own. */
  private record Target(String name, StoredAs rows) {}

  private Map<String, Map<String, UnaryOperator<Tensor>>> changes(
      Map<String, TensorFiles> components, Map<String, StoredAs> original) {
    Map<String, Map<String, List<Target>>> targets = new TreeMap<>();
    components.forEach(
        (component, files) ->
            targets.put(
                component,
                targets(component, files, component.equals(TRANSFORMER) ? original : Map.of())));
    Map<String, Map<String, UnaryOperator<Tensor>>> changes = new TreeMap<>();
    List<String> unknown = new ArrayList<>();
    modules.forEach(
        (module, roles) ->
            module.components().stream()
                .filter(component -> has(targets.get(component), module.name(), roles))
                .findFirst()
                .ifPresentOrElse(
                    component ->
                        add(
                            changes.computeIfAbsent(component, c -> new LinkedHashMap<>()),
                            components.get(component),
                            targets.get(component),
                            module.name(),
                            roles),
                    () -> unknown.add(roles.values().iterator().next())));
    if (!unknown.isEmpty()) {
      String where = String.join(", ", components.keySet());
      throw bad(
          unknown.size() == modules.size()
              ? "none of its keys belongs to this model's "
                  + where
                  + ", as '"
                  + unknown.get(0)
                  + "'"
              : "'"
                  + unknown.get(0)
                  + "'"
                  + (unknown.size() > 1 ? " and " + (unknown.size() - 1) + " more" : "")
                  + " belong to nothing in this model's "
                  + where);
    }
    return changes;
  }

  private static boolean has(
      Map<String, List<Target>> targets, String module, Map<Role, String> roles) {
    return targets != null
        && targets.containsKey(module + ".weight")
        && (!roles.containsKey(Role.BIAS) || targets.containsKey(module + ".bias"));
  }

  private void add(
      Map<String, UnaryOperator<Tensor>> changes,
      TensorFiles files,
      Map<String, List<Target>> targets,
      String module,
      Map<Role, String> roles) {
    List<Target> weights = targets.get(module + ".weight");
    if (roles.containsKey(Role.UP)) {
      LoraDelta delta =
          LoraDelta.lowRank(
              lora,
              file,
              roles.get(Role.DOWN),
              roles.get(Role.UP),
              Optional.ofNullable(roles.get(Role.ALPHA)));
      weights.forEach(target -> add(changes, files, target, delta));
    }
    if (roles.containsKey(Role.WEIGHT)) {
      LoraDelta delta = LoraDelta.plain(lora, file, roles.get(Role.WEIGHT));
      weights.forEach(target -> add(changes, files, target, delta));
    }
    if (roles.containsKey(Role.BIAS)) {
      LoraDelta delta = LoraDelta.plain(lora, file, roles.get(Role.BIAS));
      targets.get(module + ".bias").forEach(target -> add(changes, files, target, delta));
    }
  }

  /** Every name that a module may have, flat, with {@code .weight} or {@code .bias}. */
  private static Map<String, List<Target>> targets(
      String component, TensorFiles files, Map<String, StoredAs> original) {
    Map<String, List<Target>> targets = new HashMap<>();
    for (String name : files.entries().keySet()) {
      target(targets, component, name, new Target(name, StoredAs.all(name)));
      StoredAs place = original.get(name);
      if (place != null && !place.name().equals(name)) {
        target(targets, component, place.name(), new Target(name, place));
      }
    }
    return targets;
  }

  private static void target(
      Map<String, List<Target>> targets, String component, String called, Target target) {
    String kind = called.endsWith(".bias") ? ".bias" : ".weight";
    String module =
        called.endsWith(kind) ? called.substring(0, called.length() - kind.length()) : called;
    targets.computeIfAbsent(flat(component, module) + kind, m -> new ArrayList<>()).add(target);
  }

  private static void add(
      Map<String, UnaryOperator<Tensor>> changes,
      TensorFiles files,
      Target target,
      LoraDelta delta) {
    List<Long> shape = files.entries().get(target.name()).shape();
    delta.check(target.name(), shape, target.rows());
    long[] sizes = shape.stream().mapToLong(Long::longValue).toArray();
    UnaryOperator<Tensor> change =
        stored -> stored.to(DType.FLOAT32).add(target.rows().of(delta.make().get()).reshape(sizes));
    changes.merge(
        target.name(), change, (first, second) -> stored -> second.apply(first.apply(stored)));
  }
}
