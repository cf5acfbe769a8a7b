package dev.gossamer.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Measures several things in turn: one run of each, then one run of each again, so that whatever
 * else the machine does meets all of them alike. Ratios between them mean something even where the
 * times themselves do not.
 */
public final class TurnByTurn {
  private TurnByTurn() {}

  /**
   * @param works warm already: nothing is run before the first measurement
   * @param rounds measurements of each
   * @return one timing for each, in the same order
   */
  public static List<Timing> measure(List<Runnable> works, int rounds, BenchProgress progress) {
    List<Supplier<List<Double>>> timed = new ArrayList<>();
    works.forEach(work -> timed.add(() -> List.of(millis(work))));
    return laps(timed, rounds, progress).stream().map(laps -> laps.get(0)).toList();
  }

  private static double millis(Runnable work) {
    long start = System.nanoTime();
    work.run();
    return (System.nanoTime() - start) / 1e6;
  }

  /**
   * Likewise, of works that pass several marks and tell for each how many milliseconds after their
   * beginning that was.
   *
   * @param works each of as many marks every time
   * @return for each work a timing for each of its marks
   */
  public static List<List<Timing>> laps(
      List<Supplier<List<Double>>> works, int rounds, BenchProgress progress) {
    List<List<List<Double>>> all = new ArrayList<>();
    works.forEach(work -> all.add(new ArrayList<>()));
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < works.size(); i++) {
        progress.check();
        all.get(i).add(works.get(i).get());
      }
    }
    return all.stream().map(TurnByTurn::byMark).toList();
  }

  private static List<Timing> byMark(List<List<Double>> rounds) {
    return IntStream.range(0, rounds.get(0).size())
        .mapToObj(mark -> new Timing(rounds.stream().map(laps -> laps.get(mark)).toList()))
        .toList();
  }
}
