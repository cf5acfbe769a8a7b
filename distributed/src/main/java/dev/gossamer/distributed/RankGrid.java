package dev.gossamer.distributed;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;

/**
 * The ranks of a world as nodes of equally many neighbours, so that exchanges can be kept inside of
 * nodes and those between nodes be few: rank {@code r} has place {@code r % perNode} in node {@code
 * r / perNode}. A column is the ranks of equal place, one of each node.
 *
 * <p>Used by one thread at a time, as its world.
 */
public final class RankGrid implements AutoCloseable {
  private final Communicator world;
  private final int perNode;
  private final Communicator node;
  private final Communicator column;

  private RankGrid(Communicator world, int perNode, Communicator node, Communicator column) {
    this.world = world;
    this.perNode = perNode;
    this.node = node;
    this.column = column;
  }

  /** All ranks as one node: there is nothing to tell apart. */
  public static RankGrid flat(Communicator world) {
    return new RankGrid(world, world.size(), null, null);
  }

  /**
   * Divides a world; every rank calls it.
   *
   * @param world not closed with the grid
   * @param perNode ranks of each node
   * @throws UsageException if nodes of so many ranks do not make up the world
   */
  public static RankGrid of(Communicator world, int perNode) {
    if (perNode < 1 || world.size() % perNode != 0) {
      throw new UsageException(
          world.size() + " ranks are not nodes of " + perNode + " ranks each",
          "Name a number of ranks per node that divides the ranks");
    }
    if (perNode == world.size()) {
      return flat(world);
    }
    Communicator node = world.split(world.rank() / perNode);
    return new RankGrid(world, perNode, node, world.split(world.rank() % perNode));
  }

  public Communicator world() {
    return world;
  }

  /** Ranks of a node. */
  public int perNode() {
    return perNode;
  }

  public int nodes() {
    return world.size() / perNode;
  }

  /** This rank's node. */
  public int nodeIndex() {
    return world.rank() / perNode;
  }

  /** This rank's place in its node. */
  public int place() {
    return world.rank() % perNode;
  }

  /** The ranks of this node, in the order of places; only where there are several nodes. */
  public Communicator node() {
    return node;
  }

  /** The ranks of this place, in the order of nodes; only where there are several nodes. */
  public Communicator column() {
    return column;
  }

  /** Bytes of all all-to-all exchanges so far, of the world and of its nodes and columns. */
  public Traffic traffic() {
    long[] sent = world.traffic().sent();
    if (nodes() > 1) {
      long[] inside = node.traffic().sent();
      for (int peer = 0; peer < inside.length; peer++) {
        sent[nodeIndex() * perNode + peer] += inside[peer];
      }
      long[] between = column.traffic().sent();
      for (int peer = 0; peer < between.length; peer++) {
        sent[peer * perNode + place()] += between[peer];
      }
    }
    return new Traffic(world.rank(), sent);
  }

  /**
   * An all-to-all in two steps: inside the nodes to the neighbour of the receiver's place, then
   * between nodes along columns. As many bytes cross between nodes as in one step, in fewer and
   * larger messages. The second step begins when the first is awaited.
   *
   * @param received {@code [rows, ..]}, contiguous, written: rows of rank 0, then of rank 1, ..
   * @param sent {@code [rows, ..]}, contiguous: rows for rank 0, then for rank 1, ..
   * @param rows {@code [from][to]} of all ranks, the same on all
   */
  public Pending allToAllInTwoSteps(Tensor received, Tensor sent, long[][] rows) {
    int nodes = nodes();
    int home = nodeIndex() * perNode;
    long[] starts = starts(rows[world.rank()]);
    long[] toNeighbour = new long[perNode];
    long[] fromNeighbour = new long[perNode];
    List<Tensor> byPlace = new ArrayList<>();
    for (int place = 0; place < perNode; place++) {
      for (int other = 0; other < nodes; other++) {
        int to = other * perNode + place;
        byPlace.add(sent.narrow(0, starts[to], rows[world.rank()][to]));
        toNeighbour[place] += rows[world.rank()][to];
        fromNeighbour[place] += rows[home + place][other * perNode + place()];
      }
    }
    Tensor leaving = Tensor.cat(0, byPlace);
    Tensor gathered = emptyLike(sent, sum(fromNeighbour));
    Pending inside = node.allToAll(gathered, fromNeighbour, leaving, toNeighbour);
    return () -> {
      inside.await();
      along(received, gathered, rows).await();
    };
  }

  private Pending along(Tensor received, Tensor gathered, long[][] rows) {
    int nodes = nodes();
    int home = nodeIndex() * perNode;
    long[] blocks = new long[perNode * nodes]; // as they came: by neighbour, then by node
    long[] toNode = new long[nodes];
    long[] fromNode = new long[nodes];
    for (int neighbour = 0; neighbour < perNode; neighbour++) {
      for (int other = 0; other < nodes; other++) {
        long count = rows[home + neighbour][other * perNode + place()];
        blocks[neighbour * nodes + other] = count;
        toNode[other] += count;
        fromNode[other] += rows[other * perNode + neighbour][world.rank()];
      }
    }
    long[] starts = starts(blocks);
    List<Tensor> byNode = new ArrayList<>();
    for (int other = 0; other < nodes; other++) {
      for (int neighbour = 0; neighbour < perNode; neighbour++) {
        int block = neighbour * nodes + other;
        byNode.add(gathered.narrow(0, starts[block], blocks[block]));
      }
    }
    return column.allToAll(received, fromNode, Tensor.cat(0, byNode), toNode);
  }

  private static long[] starts(long[] counts) {
    long[] starts = new long[counts.length];
    for (int i = 1; i < counts.length; i++) {
      starts[i] = starts[i - 1] + counts[i - 1];
    }
    return starts;
  }

  private static long sum(long[] counts) {
    long sum = 0;
    for (long count : counts) {
      sum += count;
    }
    return sum;
  }

  private static Tensor emptyLike(Tensor tensor, long rows) {
    long[] shape = tensor.shape();
    shape[0] = rows;
    return Tensor.empty(tensor.dtype(), tensor.device(), shape);
  }

  /** Closes the groups, not the world. */
  @Override
  public void close() {
    if (nodes() > 1) {
      column.close();
      node.close();
    }
  }
}
