package dev.gossamer.tensor.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/** Where settings that were written down differ from those that are asked for now. */
public final class Difference {
  private Difference() {}

  /**
   * The first difference in words, for example {@code its model.hidden is 64, not 32}; nothing if
   * there is none.
   *
   * @param key of both, for the words
   */
  public static Optional<String> first(String key, JsonNode then, JsonNode now) {
    if (then.isObject() && now.isObject()) {
      Set<String> keys = new LinkedHashSet<>();
      then.fieldNames().forEachRemaining(keys::add);
      now.fieldNames().forEachRemaining(keys::add);
      return keys.stream()
          .map(k -> first(key.isEmpty() ? k : key + "." + k, then.path(k), now.path(k)))
          .flatMap(Optional::stream)
          .findFirst();
    }
    return then.equals(now)
        ? Optional.empty()
        : Optional.of("its " + key + " is " + word(then) + ", not " + word(now));
  }

  private static String word(JsonNode value) {
    return value.isMissingNode() ? "not there" : value.toString();
  }
}
