package dev.gossamer.attention;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a person says about an attention method beside its name; each method reads what it knows and
 * refuses the rest.
 *
 * @param preset a named set of settings; empty for the method's own default
 * @param density wanted share of query-key pairs computed exactly, above 0 and at most 1; empty for
 *     what the preset says
 * @param settings single settings by name, as typed; they win over preset and density
 */
public record AttentionOptions(
    Optional<String> preset, OptionalDouble density, Map<String, String> settings) {
  /**
   * @throws UsageException if the density is not a share
   */
  public AttentionOptions {
    if (density.isPresent() && !(density.getAsDouble() > 0 && density.getAsDouble() <= 1)) {
      throw new UsageException(
          "Attention density is " + density.getAsDouble(), "Use a share above 0 and at most 1");
    }
    settings = Map.copyOf(settings);
  }

  /** Whatever the method does on its own. */
  public static AttentionOptions defaults() {
    return new AttentionOptions(Optional.empty(), OptionalDouble.empty(), Map.of());
  }

  public AttentionOptions withPreset(String name) {
    return new AttentionOptions(Optional.of(name), density, settings);
  }

  public AttentionOptions withDensity(double share) {
    return new AttentionOptions(preset, OptionalDouble.of(share), settings);
  }

  public AttentionOptions withSetting(String name, String value) {
    Map<String, String> more = new TreeMap<>(settings);
    more.put(name, value);
    return new AttentionOptions(preset, density, more);
  }

  /** These options with further settings where they say nothing. */
  public AttentionOptions withDefaults(Map<String, String> further) {
    Map<String, String> all = new TreeMap<>(further);
    all.putAll(settings);
    return new AttentionOptions(preset, density, all);
  }

  /**
   * Refuses a preset that a method does not have.
   *
   * @param method the method's name, for the message
   * @throws UsageException that lists the presets
   */
  public void requirePreset(String method, Collection<String> known) {
    if (preset.isPresent() && !known.contains(preset.get())) {
      throw new UsageException(
          "Attention '" + method + "' has no preset '" + preset.get() + "'",
          known.isEmpty() ? "It takes none" : "It has: " + listed(known));
    }
  }

  /**
   * Refuses settings that a method does not have.
   *
   * @param method the method's name, for the message
   * @throws UsageException that lists the settings
   */
  public void requireSettings(String method, Collection<String> known) {
    Set<String> unknown = new TreeSet<>(settings.keySet());
    unknown.removeAll(known);
    if (!unknown.isEmpty()) {
      throw new UsageException(
          "Attention '" + method + "' has no setting '" + unknown.iterator().next() + "'",
          known.isEmpty() ? "It takes none" : "It has: " + listed(known));
    }
  }

  /**
   * Refuses a density, for a method that has none.
   *
   * @param method the method's name, for the message
   * @throws UsageException if one is given
   */
  public void requireNoDensity(String method) {
    if (density.isPresent()) {
      throw new UsageException(
          "Attention '" + method + "' has no density to choose", "Leave it out");
    }
  }

  private static String listed(Collection<String> names) {
    return String.join(", ", new TreeSet<>(names));
  }
}
