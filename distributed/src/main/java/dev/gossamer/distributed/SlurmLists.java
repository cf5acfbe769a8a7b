package dev.gossamer.distributed;

import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The two shorthands in Slurm's variables. */
final class SlurmLists {
  private static final Pattern TASKS = Pattern.compile("(\\d{1,9})(?:\\(x(\\d{1,6})\\))?");

  /** A range of numbers within a host's name, of which the first is kept. */
  private static final Pattern RANGE = Pattern.compile("\\[([0-9]+)[^\\]]*\\]");

  private SlurmLists() {}

  /**
   * Tasks of each node, from a list such as {@code 2(x3),1}.
   *
   * @param name the variable, for the message
   * @param size what they have to add up to
   */
  static int[] tasksPerNode(String name, String list, int size) {
    List<Integer> tasks = new ArrayList<>();
    long sum = 0;
    for (String part : list.split(",")) {
      Matcher matcher = TASKS.matcher(part.strip());
      if (!matcher.matches()) {
        throw new UsageException(
            name + " is '" + list + "', expected a list like 2(x3),1",
            "Start the ranks by srun, and do not set its variables by hand");
      }
      int count = Integer.parseInt(matcher.group(1));
      int times = matcher.group(2) == null ? 1 : Integer.parseInt(matcher.group(2));
      for (int i = 0; i < times; i++) {
        tasks.add(count);
      }
      sum += (long) count * times;
    }
    if (sum != size) {
      throw new UsageException(
          name + " is '" + list + "', " + sum + " tasks in all, but the step has " + size,
          "Start the ranks by srun, and do not set its variables by hand");
    }
    return tasks.stream().mapToInt(Integer::intValue).toArray();
  }

  /**
   * The first host of a list such as {@code node[03-05,9],gpu1}: {@code node03}.
   *
   * @param name the variable, for the message
   */
  static String firstHost(String name, String list) {
    String first = RANGE.matcher(list).replaceAll("$1").split(",")[0].strip();
    if (first.isEmpty() || first.contains("[") || first.contains("]")) {
      throw new UsageException(
          name + " is '" + list + "', expected a list like node[01-04],gpu7",
          "Set MASTER_ADDR to the machine of rank 0");
    }
    return first;
  }
}
