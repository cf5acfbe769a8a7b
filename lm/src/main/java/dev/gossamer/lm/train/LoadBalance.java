package dev.gossamer.lm.train;

import java.util.Arrays;
import java.util.List;

/**
 * How evenly the experts of all layers were used.
 *
 * @param mean over layers of {@code max_i count_i / mean count - 1}; 0 when all have as much
 * @param worst of any layer
 * @param dead share of the experts with less than a hundredth of an even share
 * @param entropy of the load over that of an even one, mean over layers; 1 when all have as much
 */
public record LoadBalance(double mean, double worst, double dead, double entropy) {
  private static final double DEAD = 0.01;

  /** Of a model without experts. */
  public static final LoadBalance NONE = new LoadBalance(0, 0, 0, 1);

  /**
   * @param load of each layer, slots by expert
   */
  public static LoadBalance of(List<long[]> load) {
    if (load.isEmpty()) {
      return NONE;
    }
    double sum = 0;
    double worst = 0;
    double entropy = 0;
    long dead = 0;
    long experts = 0;
    for (long[] layer : load) {
      double total = Arrays.stream(layer).sum();
      double even = total / layer.length;
      double violation = total == 0 ? 0 : Arrays.stream(layer).max().orElse(0) / even - 1;
      sum += violation;
      worst = Math.max(worst, violation);
      dead += Arrays.stream(layer).filter(count -> count < DEAD * even).count();
      experts += layer.length;
      entropy += entropy(layer, total);
    }
    int layers = load.size();
    return new LoadBalance(sum / layers, worst, (double) dead / experts, entropy / layers);
  }

  private static double entropy(long[] layer, double total) {
    if (layer.length == 1 || total == 0) {
      return 1;
    }
    double sum = 0;
    for (long count : layer) {
      sum -= count == 0 ? 0 : count / total * Math.log(count / total);
    }
    return sum / Math.log(layer.length);
  }
}
