package dev.gossamer.bench;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The ranks that measure together. Each makes the same calls, and all get the same figures.
 *
 * @param world all of them
 * @param perNode neighbours that share a node
 */
public record Ranks(Communicator world, int perNode) {
  public int nodes() {
    return (world.size() + perNode - 1) / perNode;
  }

  /** Whether this rank and another are on one node. */
  public boolean sameNode(int peer) {
    return peer / perNode == world.rank() / perNode;
  }

  /** The mean of all ranks' figures. */
  public double mean(double figure) {
    return reduced(figure, Reduction.SUM) / world.size();
  }

  /** The sum of all ranks' counts. */
  public long sum(long count) {
    try (Scope scope = Scope.open()) {
      Tensor all = Tensor.of(new long[] {count}, 1);
      world.allReduce(all);
      return (long) all.item();
    }
  }

  /** Median of several runs of something that all ranks do at once, seconds of the slowest. */
  public double seconds(int runs, Runnable work) {
    List<Double> seconds = new ArrayList<>();
    for (int run = -1; run < runs; run++) {
      world.barrier();
      long start = System.nanoTime();
      try (Scope scope = Scope.open()) {
        work.run();
      }
      double taken = reduced((System.nanoTime() - start) / 1e9, Reduction.MAXIMUM);
      if (run >= 0) { // the first one warms up
        seconds.add(taken);
      }
    }
    return new Timing(seconds).median();
  }

  private double reduced(double figure, Reduction how) {
    try (Scope scope = Scope.open()) {
      Tensor all = Tensor.of(new double[] {figure}, 1);
      world.allReduce(all, how);
      return all.item();
    }
  }
}
