package dev.gossamer.distributed;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Map;

/**
 * Environment variables, read strictly: a missing or misshapen one is refused by its name. One that
 * is blank counts as not set.
 */
record Variables(Map<String, String> map) {
  boolean has(String name) {
    return !text(name, "").isEmpty();
  }

  /** The first of these that is set, or the first of all. */
  String first(String... names) {
    for (String name : names) {
      if (has(name)) {
        return name;
      }
    }
    return names[0];
  }

  String text(String name, String otherwise) {
    String value = map.getOrDefault(name, "").strip();
    return value.isEmpty() ? otherwise : value;
  }

  /**
   * @throws UsageException if it is not set
   */
  String text(String name) {
    String value = text(name, "");
    if (value.isEmpty()) {
      throw new UsageException(
          name + " is not set, while other variables say that this is one of several ranks",
          "Set " + name + ", or start all ranks by gossamer launch, torchrun or srun");
    }
    return value;
  }

  int integer(String name, int otherwise) {
    return has(name) ? integer(name) : otherwise;
  }

  /**
   * @throws UsageException if it is not set or no integer from 0 up
   */
  int integer(String name) {
    String value = text(name);
    try {
      int number = Integer.parseInt(value);
      if (number >= 0) {
        return number;
      }
    } catch (NumberFormatException e) {
      // told below
    }
    throw new UsageException(
        name + " is '" + value + "', which is no whole number from 0 up",
        "Correct " + name + " or unset it");
  }

  /**
   * The value of {@code name}.
   *
   * @throws UsageException if {@code other} is set and differs
   */
  int agreed(String other, String name) {
    int value = integer(name);
    if (integer(other, value) != value) {
      throw new UsageException(
          other + " is " + text(other) + ", but " + name + " is " + value, "Unset " + other);
    }
    return value;
  }
}
