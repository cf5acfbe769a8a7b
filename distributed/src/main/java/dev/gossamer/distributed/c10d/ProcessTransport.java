package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.distributed.Transport;
import dev.gossamer.distributed.c10d.Announcement.Call;
import dev.gossamer.distributed.local.AloneTransport;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.global.torch;

/**
 * Exchanges between processes. Each group has an engine and a thread that carries its exchanges
 * out, one after the other. Every exchange begins with a small one in which the ranks tell each
 * other what they are about to do: it costs one way through the network and makes of every
 * disagreement an error. After a failure the group is dead; its connections are closed at once, so
 * that the others need not wait for their time-outs.
 */
final class ProcessTransport implements Transport {
  private final Rendezvous rendezvous;
  private final Backend backend;
  private final InetAddress here;
  private final Register register;
  private final Presence presence;
  private final String name;
  private final int[] members;
  private final int rank;
  private final RollCall rollCall;
  private final Carrier carrier;
  private final Engine engine;
  private final Watch watch;
  private Optional<CommunicationException> failure = Optional.empty(); // of the carrier's thread
  private int splits;

  private ProcessTransport(
      Rendezvous rendezvous,
      Backend backend,
      InetAddress here,
      Register register,
      Presence presence,
      String name,
      int[] members) {
    this.rendezvous = rendezvous;
    this.backend = backend;
    this.here = here;
    this.register = register;
    this.presence = presence;
    this.name = name;
    this.members = members;
    this.rank = Arrays.binarySearch(members, rendezvous.rank());
    this.rollCall =
        new RollCall(
            register, presence, name, members, rendezvous.rank(), rendezvous.rankZeroServes());
    this.carrier = new Carrier("gossamer-exchange-" + rendezvous.rank());
    try {
      this.engine = connected();
    } catch (RuntimeException e) {
      carrier.close();
      throw e;
    }
    this.watch = new Watch(presence, members, rendezvous.rank(), engine::interrupt);
  }

  /**
   * Connects all ranks of a world.
   *
   * @throws CommunicationException if a rank does not come in time or means another world
   * @throws EnvironmentException if this machine lacks the backend
   */
  static ProcessTransport connect(Rendezvous rendezvous, Backend backend) {
    backend.demand();
    torch.initLogging(); // heeds TORCH_CPP_LOG_LEVEL
    Deadline deadline = Deadline.in(rendezvous.timeout());
    InetAddress master = resolve(rendezvous);
    InetAddress here = HostAddress.reachableFrom(master, rendezvous);
    String name = world(rendezvous);
    Register register = Register.open(rendezvous, master, deadline);
    Optional<Presence> presence = Optional.empty();
    try {
      presence = Optional.of(Presence.show(register, name, rendezvous.rank(), here));
      new Arrivals(register, name, rendezvous).await(deadline);
      presence.get().learn(register, name, rendezvous.size(), deadline);
      int[] all = IntStream.range(0, rendezvous.size()).toArray();
      ProcessTransport world =
          new ProcessTransport(rendezvous, backend, here, register, presence.get(), name, all);
      world.barrier(); // nobody may need the register any more when its keeper ends
      return world;
    } catch (RuntimeException e) {
      presence.ifPresent(Presence::close);
      register.close();
      throw e;
    }
  }

  private static String world(Rendezvous rendezvous) {
    return "gossamer/" + rendezvous.attempt();
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

  /** Connects on the carrier's thread, because native code may never return. */
  private Engine connected() {
    String what = "connecting " + members.length + " ranks from " + here.getHostAddress();
    Duration timeout = rendezvous.timeout();
    Future<Engine> connecting =
        carrier.begin(
            () -> {
              try {
                return open();
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

  private Engine open() {
    Duration timeout = rendezvous.timeout();
    Deadline deadline = Deadline.in(timeout);
    return switch (backend) {
      case GLOO ->
          GlooGroup.connect(register.storeOf(name, deadline), rank, members.length, here, timeout);
      case NCCL -> {
        NcclMeeting meeting = new NcclMeeting(register, name, rollCall::hasLastWords);
        Device card = backend.device(rendezvous);
        yield NcclGroup.connect(meeting, rank, members.length, card, timeout);
      }
    };
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
    if (!engine.reduces(tensor.dtype())) {
      throw new IllegalArgumentException("There is no reduction of " + tensor.dtype());
    }
    return agreed(
        Announcement.of(Call.ALL_REDUCE, reduction.ordinal(), tensor, tensor.count()),
        engine.after(tensor),
        () -> engine.allReduce(tensor, reduction));
  }

  @Override
  public Pending allGather(Tensor gathered, Tensor tensor) {
    return agreed(
        Announcement.of(Call.ALL_GATHER, 0, tensor, tensor.count()),
        engine.after(tensor),
        () -> engine.allGather(gathered, tensor));
  }

  @Override
  public Pending broadcast(Tensor tensor, int root) {
    return agreed(
        Announcement.of(Call.BROADCAST, root, tensor, tensor.count()),
        engine.after(tensor),
        () -> engine.broadcast(tensor, root));
  }

  @Override
  public Pending allToAll(Tensor received, long[] receivedRows, Tensor sent, long[] sentRows) {
    Announcement announcement = Announcement.ofRows(sent);
    return carry(
        announcement,
        engine.after(sent),
        () ->
            engine.allToAll(
                received,
                receivedRows,
                sent,
                sentRows,
                () -> announce(announcement, receivedRows, sentRows),
                e -> failed(announcement, e)));
  }

  @Override
  public Optional<Transport> baseline() {
    return engine instanceof GlooGroup gloo
        ? Optional.of(
            new Baseline(
                this,
                (received, receivedRows, sent, sentRows) ->
                    agreed(
                        Announcement.ofRows(sent),
                        receivedRows,
                        sentRows,
                        gloo.after(sent),
                        () -> gloo.ownAllToAll(received, receivedRows, sent, sentRows))))
        : Optional.empty();
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
            : new ProcessTransport(
                rendezvous,
                backend,
                here,
                register,
                presence,
                part,
                Arrays.stream(same).map(m -> members[m]).toArray());
    barrier(); // as after connecting the world
    return made;
  }

  /** Returns when every rank has called it. */
  private void barrier() {
    agreed(new Announcement(Call.ALL_TO_ALL, DType.UINT8, 0, 0), () -> {}, () -> {}).await();
  }

  /** Exchanges once all ranks have told each other that they mean the same. */
  private Pending agreed(Announcement announcement, Runnable after, Runnable exchange) {
    long[] none = new long[size()];
    return agreed(announcement, none, none, after, exchange);
  }

  private Pending agreed(
      Announcement announcement,
      long[] receivedRows,
      long[] sentRows,
      Runnable after,
      Runnable exchange) {
    return carry(
        announcement,
        after,
        () -> {
          announce(announcement, receivedRows, sentRows);
          exchange.run();
        });
  }

  private Pending carry(Announcement announcement, Runnable after, Runnable exchange) {
    Future<?> carried =
        carrier.begin(
            () -> {
              failure.ifPresent(ProcessTransport::stillDead);
              watch.begins();
              try {
                after.run();
                exchange.run();
                return null;
              } catch (RuntimeException e) {
                throw failed(announcement, e);
              } finally {
                watch.ends();
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
    long[] theirs = engine.announce(mine);
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
      rollCall.leave(own, engine::abort);
      reason = own;
    } else {
      engine.abort();
      reason = rollCall.explain(announcement.toString(), rendezvous.timeout(), cause);
    }
    failure = Optional.of(reason);
    return reason;
  }

  @Override
  public void close() {
    watch.close();
    carrier.close();
    if (carrier.ended(rendezvous.timeout())) {
      engine.close();
    }
    if (name.equals(world(rendezvous))) {
      presence.close();
      register.close();
    }
  }
}
