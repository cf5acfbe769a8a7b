package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Transport;
import dev.gossamer.distributed.c10d.Announcement.Call;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;

/**
 * Exchanges between cards by NCCL. What ranks tell each other before each exchange, what they find
 * out after a failure, and tensors on the processor go by Gloo.
 */
final class NcclTransport implements Transport {
  private final GlooTransport processes;
  private final Device card;
  private final NcclGroup cards;

  private NcclTransport(GlooTransport processes, Device card) {
    this.processes = processes;
    this.card = card;
    this.cards =
        processes.connecting(
            "connecting " + processes.size() + " ranks by NCCL, this one on " + card,
            "nccl",
            store ->
                NcclGroup.connect(
                    store, processes.rank(), processes.size(), card, processes.timeout()));
    processes.barrier(); // as after connecting by Gloo
  }

  /** Connects all ranks of a world, each with its card. */
  static NcclTransport connect(Rendezvous rendezvous, Device card) {
    return over(GlooTransport.connect(rendezvous), card);
  }

  private static NcclTransport over(GlooTransport processes, Device card) {
    try {
      return new NcclTransport(processes, card);
    } catch (RuntimeException e) {
      processes.close();
      throw e;
    }
  }

  @Override
  public int rank() {
    return processes.rank();
  }

  @Override
  public int size() {
    return processes.size();
  }

  @Override
  public Pending allReduce(Tensor tensor, Reduction reduction) {
    return tensor.device().isCpu()
        ? processes.allReduce(tensor, reduction)
        : processes.agreed(
            Announcement.of(Call.ALL_REDUCE, reduction.ordinal(), tensor, tensor.count()),
            () -> cards.allReduce(tensor, reduction));
  }

  @Override
  public Pending allGather(Tensor gathered, Tensor tensor) {
    return tensor.device().isCpu()
        ? processes.allGather(gathered, tensor)
        : processes.agreed(
            Announcement.of(Call.ALL_GATHER, 0, tensor, tensor.count()),
            () -> cards.allGather(gathered, tensor));
  }

  @Override
  public Pending broadcast(Tensor tensor, int root) {
    return tensor.device().isCpu()
        ? processes.broadcast(tensor, root)
        : processes.agreed(
            Announcement.of(Call.BROADCAST, root, tensor, tensor.count()),
            () -> cards.broadcast(tensor, root));
  }

  @Override
  public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    if (sent.device().isCpu()) {
      return processes.allToAll(received, receivedRows, sent, sentRows);
    }
    return processes.agreed(
        Announcement.ofRows(sent),
        receivedRows,
        sentRows,
        () -> cards.allToAll(received, receivedRows, sent, sentRows));
  }

  @Override
  public Transport split(int colour) {
    Transport part = processes.split(colour); // of one rank: not even by Gloo
    return part instanceof GlooTransport several ? over(several, card) : part;
  }

  @Override
  public void close() {
    cards.close();
    processes.close();
  }
}
