package dev.gossamer.cli;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Reads one of a fixed set of words. */
final class Choice {
  private Choice() {}

  /**
   * @param what the option without dashes, for the message
   * @throws UsageException that lists the words, if the given one is not among them
   */
  static <E extends Enum<E>> E of(Class<E> type, String what, String word) {
    return Arrays.stream(type.getEnumConstants())
        .filter(value -> value.name().equalsIgnoreCase(word))
        .findFirst()
        .orElseThrow(
            () ->
                new UsageException(
                    "Unknown " + what + " '" + word + "'",
                    "Use "
                        + Arrays.stream(type.getEnumConstants())
                            .map(value -> value.name().toLowerCase(Locale.ROOT))
                            .collect(Collectors.joining(", "))));
  }
}
