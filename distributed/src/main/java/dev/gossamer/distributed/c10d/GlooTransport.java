package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Transport;
import dev.gossamer.distributed.c10d.Announcement.Call;
import dev.gossamer.distributed.local.AloneTransport;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;

/**
 * Exchanges between processes by Gloo. Each group has a thread that carries its exchanges out, one
 * after the other. Every exchange begins with a small one in which the ranks tell each other what
 * they are about to do: it costs one way through the network and makes of every disagreement an
 * error. After a failure the group is dead; its connections are closed at once, so that the others
 * need not wait for their time-outs.
 */
final class GlooTransport implements Transport {
  private final Rendezvous rendezvous;
  private final InetAddress here;
  private final Register register;
  private final String name;
  private final int[] members;
  private final int rank;
  private final RollCall rollCall;
  private final Carrier carrier;
  private final GlooGroup group;
  private Optional<CommunicationException> failure = Optional.empty(); // of the carrier's thread
  private int splits;

  private GlooTransport(
      Rendezvous rendezvous, InetAddress here, Register register, String name, int[] members) {
    this.rendezvous = rendezvous;
    this.here = here;
    this.register = register;
    this.name = name;
    this.members = members;
    this.rank = Arrays.binarySearch(members, rendezvous.rank());
    this.rollCall =
        new RollCall(register, name, members, rendezvous.rank(), rendezvous.rankZeroServes());
    this.carrier = new Carrier("gossamer-exchange-" + rendezvous.rank());
    try {
      this.group =
          connecting(
              "connecting " + members.length + " ranks from " + here.getHostAddress(),
              "",
              store -> GlooGroup.connect(store, rank, members.length, here, rendezvous.timeout()));
    } catch (RuntimeException e) {
      carrier.close();
      throw e;
    }
  }

  /**
   * Connects all ranks of a world.
   *
   * @throws CommunicationException if a rank does not come in time or means another world
   * @throws EnvironmentException if this machine has no Gloo
   */
  static GlooTransport connect(Rendezvous rendezvous) {
    requireGloo();
    torch.initLogging(); // heeds TORCH_CPP_LOG_LEVEL
    Deadline deadline = Deadline.in(rendezvous.timeout());
    InetAddress master = resolve(rendezvous);
    InetAddress here = HostAddress.reachableFrom(master, rendezvous);
    Register register = Register.open(rendezvous, master, deadline);
    try {
      String name = "gossamer/" + rendezvous.attempt();
      new Arrivals(register, name, rendezvous).await(deadline);
      int[] all = IntStream.range(0, rendezvous.size()).toArray();
      GlooTransport world = new GlooTransport(rendezvous, here, register, name, all);
      world.barrier(); // nobody may need the register any more when its keeper ends
      return world;
    } catch (RuntimeException e) {
      register.close();
      throw e;
    }
  }

  /**
   * @throws EnvironmentException if this machine has no Gloo
   */
  static void requireGloo() {
    Libtorch.boot();
    if (!Loader.getPlatform().startsWith("linux")) {
      throw new EnvironmentException(
          "There is no Gloo for " + Loader.getPlatform() + ", so processes cannot be ranks",
          "Use Linux, or ranks as threads (--simulate)");
    }
    if (!Loader.isLoadLibraries()) {
      throw new EnvironmentException(
          "The libtorch of an installed PyTorch and the bindings to Gloo do not fit together",
          "Unset GOSSAMER_LIBTORCH, so that the libtorch of the jars is used");
    }
  }

  private static InetAddress resolve(Rendezvous rendezvous) {
    try {
      return InetAddress.getByName(rendezvous.ranks().masterAddress());
    } catch (IOException e) {
      throw new CommunicationException(
          "Rank " + rendezvous.rank() + " cannot find rank 0's machine: " + e.getMessage(),
          "Check MASTER_ADDR",
          e);
    }
  }

  /**
   * Connects a group of an engine, on the carrier's thread, because native code may never return.
   *
   * @param what is done, for messages
   * @param part of the register that the engine uses; empty for all of this group's
   */
  <G> G connecting(String what, String part, Function<Register.GroupStore, G> connect) {
    Duration timeout = rendezvous.timeout();
    Future<G> connecting =
        carrier.begin(
            () -> {
              try {
                String place = part.isEmpty() ? name : name + "/" + part;
                return connect.apply(register.storeOf(place, Deadline.in(timeout)));
              } catch (CommunicationException e) {
                throw e;
              } catch (RuntimeException e) {
                throw rollCall.explain(what, timeout, e);
              }
            });
    try {
      return Carrier.await(connecting, timeout.multipliedBy(2));
    } catch (TimeoutException e) {
      throw new CommunicationException(
          "Rank " + rendezvous.rank() + " waited " + Deadline.text(timeout) + " in " + what,
          "See whether the ranks reach each other there, or name a network interface by "
              + Rendezvous.INTERFACE_VARIABLE,
          e);
    }
  }

  Duration timeout() {
    return rendezvous.timeout();
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int size() {
    return members.length;
  }

  @Override
  public Pending allReduce(Tensor tensor, Reduction reduction) {
    if (!NativeTensors.reduces(tensor.dtype())) {
      throw new IllegalArgumentException("Gloo does not reduce " + tensor.dtype());
    }
    onProcessor(tensor);
    return agreed(
        Announcement.of(Call.ALL_REDUCE, reduction.ordinal(), tensor, tensor.count()),
        () -> group.allReduce(tensor, reduction));
  }

  @Override
  public Pending allGather(Tensor gathered, Tensor tensor) {
    onProcessor(gathered, tensor);
    return agreed(
        Announcement.of(Call.ALL_GATHER, 0, tensor, tensor.count()),
        () -> group.allGather(gathered, tensor));
  }

  @Override
  public Pending broadcast(Tensor tensor, int root) {
    onProcessor(tensor);
    return agreed(
        Announcement.of(Call.BROADCAST, root, tensor, tensor.count()),
        () -> group.broadcast(tensor, root));
  }

  @Override
  public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    onProcessor(received, sent);
    Announcement announcement = Announcement.ofRows(sent);
    return carry(
        announcement,
        () -> {
          // Posted before the ranks speak, so that the rows need not wait for another round trip.
          try (GlooGroup.Receiving receiving = group.receive(received, receivedRows)) {
            try {
              announce(announcement, receivedRows, sentRows);
              receiving.andSend(sent, sentRows);
            } catch (RuntimeException e) {
              throw failed(announcement, e); // before what may still be received into is let go
            }
          }
        });
  }

  /** By Gloo's own call. */
  private Pending baselineAllToAll(
      Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    onProcessor(received, sent);
    return agreed(
        Announcement.ofRows(sent),
        receivedRows,
        sentRows,
        () -> group.allToAll(received, receivedRows, sent, sentRows));
  }

  @Override
  public Optional<Transport> baseline() {
    return Optional.of(new Baseline(this, this::baselineAllToAll));
  }

  private static void onProcessor(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      if (!tensor.device().isCpu()) {
        throw new IllegalArgumentException(
            "Gloo exchanges tensors on the processor, not " + tensor);
      }
    }
  }

  @Override
  public Transport split(int colour) {
    int[] colours;
    try (Scope scope = Scope.open()) {
      Tensor all = Tensor.empty(DType.INT32, size());
      allGather(all, Tensor.of(new int[] {colour}, 1)).await();
      colours = all.toInts();
    }
    int[] same = IntStream.range(0, size()).filter(peer -> colours[peer] == colour).toArray();
    String part = name + "/" + splits++ + "/" + colour;
    Transport made =
        same.length == 1
            ? new AloneTransport()
            : new GlooTransport(
                rendezvous,
                here,
                register,
                part,
                Arrays.stream(same).map(m -> members[m]).toArray());
    barrier(); // as after connecting the world
    return made;
  }

  /** Returns when every rank has called it. */
  void barrier() {
    long[] none = new long[size()];
    agreed(new Announcement(Call.ALL_TO_ALL, DType.UINT8, 0, 0), none, none, () -> {}).await();
  }

  /** Exchanges once all ranks have told each other that they mean the same. */
  Pending agreed(Announcement announcement, Runnable exchange) {
    long[] none = new long[size()];
    return agreed(announcement, none, none, exchange);
  }

  Pending agreed(
      Announcement announcement, long[] receivedRows, long[] sentRows, Runnable exchange) {
    return carry(
        announcement,
        () -> {
          announce(announcement, receivedRows, sentRows);
          exchange.run();
        });
  }

  private Pending carry(Announcement announcement, Runnable exchange) {
    Future<?> carried =
        carrier.begin(
            () -> {
              failure.ifPresent(GlooTransport::stillDead);
              try {
                exchange.run();
                return null;
              } catch (RuntimeException e) {
                throw failed(announcement, e);
              }
            });
    return () -> Carrier.await(carried);
  }

  private static void stillDead(CommunicationException failure) {
    throw new CommunicationException(
        "This group of ranks failed before: " + failure.getMessage(), "", failure);
  }

  private void announce(Announcement announcement, long[] receivedRows, long[] sentRows) {
    long[] mine = new long[size() * Announcement.LENGTH];
    for (int peer = 0; peer < size(); peer++) {
      long[] numbers = announcement.encode(sentRows[peer], receivedRows[peer]);
      System.arraycopy(numbers, 0, mine, peer * Announcement.LENGTH, Announcement.LENGTH);
    }
    long[] theirs = group.announce(mine);
    for (int peer = 0; peer < size(); peer++) {
      announcement.check(
          members[rank],
          members[peer],
          theirs,
          peer * Announcement.LENGTH,
          sentRows[peer],
          receivedRows[peer]);
    }
  }

  private CommunicationException failed(Announcement announcement, RuntimeException cause) {
    if (failure.isPresent()) {
      return failure.get();
    }
    CommunicationException reason;
    if (cause instanceof CommunicationException own) {
      rollCall.leave(own, group::close);
      reason = own;
    } else {
      group.close();
      reason = rollCall.explain(announcement.toString(), rendezvous.timeout(), cause);
    }
    failure = Optional.of(reason);
    return reason;
  }

  @Override
  public void close() {
    carrier.close();
    if (carrier.ended(rendezvous.timeout())) {
      group.close();
    }
    if (name.equals("gossamer/" + rendezvous.attempt())) {
      register.close();
    }
  }
}
