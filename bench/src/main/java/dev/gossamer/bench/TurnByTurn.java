package dev.gossamer.bench;

import java.util.ArrayList;
import java.util.List;

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
    List<List<Double>> millis = new ArrayList<>();
    works.forEach(work -> millis.add(new ArrayList<>()));
    for (int round = 0; round < rounds; round++) {
      for (int i = 0; i < works.size(); i++) {
        progress.check();
        long start = System.nanoTime();
        works.get(i).run();
        millis.get(i).add((System.nanoTime() - start) / 1e6);
      }
    }
    return millis.stream().map(Timing::new).toList();
  }
}
