package dev.gossamer.moe;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;

/**
 * The ranks of a data-parallel world in blocks that share experts: every block of {@code experts}
 * neighbouring ranks holds all of them once. The replicas of a rank's experts are the ranks of the
 * same place in the other blocks.
 *
 * <p>Gradients of experts already hold what the tokens of the whole block add, so they are summed
 * over the replicas alone; all others, BigMac's shared projections among them, over the world. Both
 * are to be divided by the same number, that of the world's tokens.
 */
public final class ExpertGroups implements AutoCloseable {
  /** What is sent at once: each exchange costs a trip through the network, however small it is. */
  private static final long AT_ONCE = 4 << 20;

  private final Communicator world;
  private final Communicator block;
  private final Communicator replicas;

  /**
   * Divides a world; every rank calls it.
   *
   * @param world not closed with the groups
   * @param blockSize ranks that share one set of experts
   * @throws UsageException if blocks of so many ranks do not make up the world
   */
  public ExpertGroups(Communicator world, int blockSize) {
    if (blockSize < 1 || world.size() % blockSize != 0) {
      throw new UsageException(
          world.size() + " ranks are not blocks of " + blockSize + " that share experts",
          "Choose an expert-parallel degree that divides the ranks");
    }
    this.world = world;
    this.block = world.split(world.rank() / blockSize);
    this.replicas = world.split(world.rank() % blockSize);
  }

  /** The ranks that share one set of experts with this one: those of a {@link MoeLayer}. */
  public Communicator block() {
    return block;
  }

  /** The ranks that hold the same experts as this one. */
  public Communicator replicas() {
    return replicas;
  }

  /**
   * Sums the gradients of all ranks, so that every holder of a weight has the same. Every rank
   * calls it, after the last micro-batch of a step. Those of an elastic layer are summed in a tree
   * over all micro-batches, which is the same for every number of ranks.
   */
  public void sumGradients(List<Parameter> parameters) {
    List<Tensor> everywhere = new ArrayList<>();
    List<Tensor> ofExperts = new ArrayList<>();
    for (Parameter parameter : parameters) {
      if (parameter.parts() != null) {
        sumInTree(parameter, parameter.ofExperts() ? replicas : world);
      } else {
        (parameter.ofExperts() ? ofExperts : everywhere).add(parameter.gradient());
      }
    }
    sum(everywhere, world);
    sum(ofExperts, replicas);
  }

  /** Neighbours of one type travel together up to a size; a large one goes alone, uncopied. */
  private static void sum(List<Tensor> gradients, Communicator holders) {
    if (holders.size() == 1) {
      return;
    }
    int from = 0;
    while (from < gradients.size()) {
      Tensor first = gradients.get(from);
      long bytes = 0;
      int to = from;
      do {
        bytes += bytes(gradients.get(to++));
      } while (to < gradients.size()
          && gradients.get(to).dtype() == first.dtype()
          && bytes + bytes(gradients.get(to)) <= AT_ONCE);
      if (to == from + 1) {
        holders.allReduce(first);
      } else {
        sumTogether(gradients.subList(from, to), holders);
      }
      from = to;
    }
  }

  private static long bytes(Tensor tensor) {
    return tensor.count() * tensor.dtype().bytes();
  }

  private static void sumTogether(List<Tensor> gradients, Communicator holders) {
    try (Scope scope = Scope.open()) {
      Tensor all = Tensor.cat(0, gradients.stream().map(one -> one.reshape(one.count())).toList());
      holders.allReduce(all);
      long at = 0;
      for (Tensor one : gradients) {
        one.copyFrom(all.narrow(0, at, one.count()).reshape(one.shape()));
        at += one.count();
      }
    }
  }

  private static void sumInTree(Parameter parameter, Communicator holders) {
    try (Scope scope = Scope.open()) {
      Tensor all = holders.allGather(parameter.parts());
      Tensor byMicroBatch = all.flatten(0, 1);
      parameter.gradient().copyFrom(tree(byMicroBatch, 0, (int) byMicroBatch.size(0)));
    }
  }

  private static Tensor tree(Tensor parts, int from, int to) {
    if (to - from == 1) {
      return parts.select(0, from);
    }
    int middle = (from + to) / 2;
    return tree(parts, from, middle).add(tree(parts, middle, to));
  }

  @Override
  public void close() {
    replicas.close();
    block.close();
  }
}
