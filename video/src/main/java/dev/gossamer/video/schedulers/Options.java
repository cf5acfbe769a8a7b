package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.util.Locale;

/** Checks of a {@code scheduler_config.json}: what is not implemented must not be asked for. */
final class Options {
  private Options() {}

  /**
   * @throws BadInputException if one of the keys is true
   */
  static void requireFalse(ModelConfig config, String... keys) {
    for (String key : keys) {
      config.require(!config.flag(key, false), key, "Only false is known");
    }
  }

  /**
   * @throws BadInputException if one of the keys is missing or not true
   */
  static void requireTrue(ModelConfig config, String... keys) {
    for (String key : keys) {
      config.require(config.flag(key, false), key, "Only true is known");
    }
  }

  /**
   * @throws BadInputException if the key is missing or has another value
   */
  static void requireText(ModelConfig config, String key, String known) {
    config.require(config.text(key, "").equals(known), key, "Only " + known + " is known");
  }

  /**
   * @throws BadInputException if one of the keys has a value
   */
  static void requireNull(ModelConfig config, String... keys) {
    for (String key : keys) {
      config.require(!config.has(key), key, "Only null is known");
    }
  }

  /**
   * The constant that a key names in lower case.
   *
   * @throws BadInputException if there is none of that name
   */
  static <E extends Enum<E>> E choice(ModelConfig config, String key, E whenMissing) {
    String text = config.text(key, whenMissing.name().toLowerCase(Locale.ROOT));
    E found = null;
    StringBuilder names = new StringBuilder();
    for (E known : whenMissing.getDeclaringClass().getEnumConstants()) {
      String name = known.name().toLowerCase(Locale.ROOT);
      names.append(names.isEmpty() ? "" : ", ").append(name);
      found = name.equals(text) ? known : found;
    }
    config.require(found != null, key, "Known are " + names);
    return found;
  }
}
