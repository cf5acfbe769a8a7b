package dev.gossamer.tensor.settings;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** Names of closed choices as people write them: lower case, words joined by dashes. */
public final class Words {
  private Words() {}

  /** For example {@code two-level}. */
  public static String of(Enum<?> choice) {
    return choice.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** All of them, separated by commas. */
  public static String of(Class<? extends Enum<?>> type) {
    return Arrays.stream(type.getEnumConstants()).map(Words::of).collect(Collectors.joining(", "));
  }

  public static <E extends Enum<E>> Optional<E> find(Class<E> type, String word) {
    return Arrays.stream(type.getEnumConstants())
        .filter(choice -> of(choice).equalsIgnoreCase(word))
        .findFirst();
  }

  /**
   * @param what the choice, for the message
   * @throws UsageException that lists the words, if the given one is not among them
   */
  public static <E extends Enum<E>> E choose(Class<E> type, String what, String word) {
    return find(type, word)
        .orElseThrow(
            () -> new UsageException("Unknown " + what + " '" + word + "'", "Use " + of(type)));
  }
}
