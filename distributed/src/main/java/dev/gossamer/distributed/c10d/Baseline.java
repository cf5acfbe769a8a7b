package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Transport;
import dev.gossamer.tensor.Tensor;

/**
 * A transport over the connections of another, but for its all-to-all.
 *
 * @param transport whose connections these are, and who closes them
 */
record Baseline(Transport transport, AllToAll exchange) implements Transport {
  /** As {@link Transport#allToAll}. */
  @FunctionalInterface
  interface AllToAll {
    Pending begin(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows);
  }

  @Override
  public int rank() {
    return transport.rank();
  }

  @Override
  public int size() {
    return transport.size();
  }

  @Override
  public Pending allReduce(Tensor tensor, Reduction reduction) {
    return transport.allReduce(tensor, reduction);
  }

  @Override
  public Pending allGather(Tensor gathered, Tensor tensor) {
    return transport.allGather(gathered, tensor);
  }

  @Override
  public Pending broadcast(Tensor tensor, int root) {
    return transport.broadcast(tensor, root);
  }

  @Override
  public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    return exchange.begin(received, receivedRows, sent, sentRows);
  }

  @Override
  public Transport split(int colour) {
    return transport.split(colour);
  }

  @Override
  public void close() {}
}
