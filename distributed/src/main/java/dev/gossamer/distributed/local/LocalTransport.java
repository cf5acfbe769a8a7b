package dev.gossamer.distributed.local;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Transport;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;

/**
 * Exchanges by reading each other's memory. Every rank has one thread that carries its exchanges
 * out, one after the other, so that it can compute meanwhile.
 */
final class LocalTransport implements Transport {
  private final int rank;
  private final Meeting meeting;
  private final ExecutorService carrier;
  private final boolean ownsCarrier;

  private LocalTransport(int rank, Meeting meeting, ExecutorService carrier, boolean ownsCarrier) {
    this.rank = rank;
    this.meeting = meeting;
    this.carrier = carrier;
    this.ownsCarrier = ownsCarrier;
  }

  static LocalTransport among(int rank, Meeting meeting) {
    return new LocalTransport(
        rank,
        meeting,
        Executors.newSingleThreadExecutor(
            task -> {
              Thread thread =
                  new Thread(
                      () -> {
                        Libtorch.intraOpThreads(1);
                        task.run();
                      },
                      "gossamer-exchange-" + rank);
              thread.setDaemon(true);
              return thread;
            }),
        true);
  }

  /**
   * One rank's part of an exchange.
   *
   * @param what must be the same on all ranks
   * @param tensors to read by the others
   * @param rows of the first tensor for each rank, for an all-to-all
   */
  private record Part(String what, List<Tensor> tensors, long[] rows) {}

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int size() {
    return meeting.size();
  }

  @Override
  public Pending allReduce(Tensor tensor, Reduction reduction) {
    String what = "all-reduce " + reduction + " of " + kind(tensor);
    return carry(
        () -> {
          Tensor[] parts = tensors(meet(what, new Part(what, List.of(tensor), null)));
          Tensor result = Tensor.empty(tensor.dtype(), tensor.shape()).copyFrom(parts[0]);
          for (int peer = 1; peer < parts.length; peer++) {
            if (reduction == Reduction.SUM) {
              result.addInPlace(parts[peer]);
            } else {
              result = result.maximum(parts[peer]);
            }
          }
          meet(what, what); // all have read
          tensor.copyFrom(result);
        });
  }

  @Override
  public Pending allGather(Tensor gathered, Tensor tensor) {
    String what = "all-gather of " + kind(tensor);
    return carry(
        () -> {
          Tensor[] parts = tensors(meet(what, new Part(what, List.of(tensor), null)));
          for (int peer = 0; peer < parts.length; peer++) {
            gathered.select(0, peer).copyFrom(parts[peer]);
          }
          meet(what, what);
        });
  }

  @Override
  public Pending broadcast(Tensor tensor, int root) {
    String what = "broadcast from rank " + root + " of " + kind(tensor);
    return carry(
        () -> {
          Tensor[] parts = tensors(meet(what, new Part(what, List.of(tensor), null)));
          if (rank != root) {
            tensor.copyFrom(parts[root]);
          }
          meet(what, what);
        });
  }

  @Override
  public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    String what = "all-to-all of " + sent.dtype() + " rows " + tail(sent);
    return carry(
        () -> {
          List<Object> parts = meet(what, new Part(what, List.of(sent), sentRows));
          long to = 0;
          for (int peer = 0; peer < size(); peer++) {
            Part part = (Part) parts.get(peer);
            long rows = part.rows()[rank];
            if (rows != receivedRows[peer]) {
              throw new CommunicationException(
                  "Rank "
                      + rank
                      + " expects "
                      + receivedRows[peer]
                      + " rows of rank "
                      + peer
                      + ", which sends "
                      + rows,
                  "The ranks disagree about the routing");
            }
            long from = Arrays.stream(part.rows(), 0, rank).sum();
            if (rows > 0) {
              received.narrow(0, to, rows).copyFrom(part.tensors().get(0).narrow(0, from, rows));
            }
            to += rows;
          }
          meet(what, what);
        });
  }

  @Override
  public Transport split(int colour) {
    String what = "split";
    List<Object> colours = meetAs(what, colour);
    TreeMap<Integer, Integer> members = new TreeMap<>();
    for (int peer = 0; peer < colours.size(); peer++) {
      if (colours.get(peer).equals(colour)) {
        members.put(peer, members.size());
      }
    }
    Object proposal =
        members.firstKey() == rank
            ? new Meeting(members.size(), meeting.patience(), meeting.collapse())
            : what;
    List<Object> proposals = meetAs(what, proposal);
    return new LocalTransport(
        members.get(rank), (Meeting) proposals.get(members.firstKey()), carrier, false);
  }

  @Override
  public void close() {
    if (ownsCarrier) {
      carrier.shutdownNow();
    }
  }

  private List<Object> meetAs(String what, Object thing) {
    Object[] found = new Object[1];
    carry(() -> found[0] = meeting.meet(rank, thing, what)).await();
    @SuppressWarnings("unchecked") // put there a line above
    List<Object> all = (List<Object>) found[0];
    return all;
  }

  private List<Object> meet(String what, Object thing) {
    List<Object> all = meeting.meet(rank, thing, what);
    for (int peer = 0; peer < all.size(); peer++) {
      String theirs = all.get(peer) instanceof Part part ? part.what() : all.get(peer).toString();
      if (!theirs.equals(what)) {
        throw new CommunicationException(
            "Rank " + rank + " is in " + what + ", rank " + peer + " in " + theirs,
            "All ranks must make the same calls with the same shapes");
      }
    }
    return all;
  }

  private static Tensor[] tensors(List<Object> parts) {
    Function<Object, Tensor> first = part -> ((Part) part).tensors().get(0);
    return parts.stream().map(first).toArray(Tensor[]::new);
  }

  private Pending carry(Runnable exchange) {
    Future<?> future =
        carrier.submit(
            () -> {
              try (Scope scope = Scope.open()) {
                exchange.run();
              } catch (RuntimeException | Error e) {
                meeting.collapse().failed(rank, e);
                throw e;
              }
            });
    return () -> await(future);
  }

  private void await(Future<?> future) {
    try {
      future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException known) {
        throw known;
      }
      throw new CommunicationException("Rank " + rank + " failed in an exchange", "", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CommunicationException("Rank " + rank + " was interrupted", "", e);
    } catch (CancellationException e) {
      throw new CommunicationException("Rank " + rank + " was closed in an exchange", "", e);
    }
  }

  private static String kind(Tensor tensor) {
    return tensor.dtype() + " " + Arrays.toString(tensor.shape());
  }

  private static String tail(Tensor tensor) {
    return Arrays.toString(Arrays.copyOfRange(tensor.shape(), 1, tensor.dims()));
  }
}
