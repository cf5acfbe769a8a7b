package dev.gossamer.distributed.c10d;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Exchanges;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;

/** What a rank of {@link GlooTest} does; ends with 0 or with the line that a person would see. */
final class GlooRank {
  /** The rank that gets into trouble. */
  static final int CULPRIT = 1;

  private GlooRank() {}

  public static void main(String[] words) throws Exception {
    Duration timeout = Duration.ofMillis(Long.parseLong(words[1]));
    try (Scope scope = Scope.open();
        Communicator world =
            Worlds.connect(Rendezvous.of(System.getenv(), timeout), Backend.GLOO)) {
      play(words[0]).accept(world);
      System.out.println("done");
    } catch (GossamerException e) {
      System.out.println(e.getClass().getSimpleName() + ": " + e.getMessage());
      System.exit(e.exitCode());
    }
  }

  private static Consumer<Communicator> play(String name) {
    return switch (name) {
      case "connect" -> Communicator::barrier;
      case "exchanges" -> GlooRank::exchanges;
      case "kill" -> GlooRank::kill;
      case "kill in rows" -> world -> killIn(world, () -> exchangeRows(world, 1 << 20).await());
      case "kill in a sum" -> GlooRank::killInASum;
      case "hang" -> GlooRank::hang;
      case "stop" -> GlooRank::stop;
      case "throw" -> GlooRank::throwUp;
      case "rows" -> GlooRank::rows;
      case "calls" -> GlooRank::calls;
      case "shapes" -> world -> world.allReduce(Tensor.zeros(DType.FLOAT32, 2 + world.rank()));
      case "group" -> GlooRank::group;
      case "measure" -> GlooRank::measure;
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static void exchanges(Communicator world) {
    Exchanges.allReduceSums(world);
    Exchanges.allGatherStacks(world);
    Exchanges.broadcastOverwrites(world);
    for (int round = 0; round < 10; round++) {
      Exchanges.allToAllDelivers(world, DType.FLOAT32, round);
      Exchanges.allToAllDelivers(world, DType.BFLOAT16, 100 + round);
      Exchanges.allToAllDelivers(world, DType.FLOAT64, 200 + round);
    }
    Exchanges.exchangesOverlap(world);
    Exchanges.splitsTalkAmongThemselves(world);
    Exchanges.splitsTalkAmongThemselves(world);
    nothingIsExchanged(world);
    sumsAreTheSameBits(world);
    everyTypeIsCarried(world);
    long before = Tensor.live();
    try (Scope scope = Scope.open()) {
      Exchanges.exchangesOverlap(world);
    }
    assertThat(Tensor.live()).isEqualTo(before);
    world.barrier();
    world.agree("the test", "same");
  }

  private static void nothingIsExchanged(Communicator world) {
    Tensor nothing = Tensor.empty(DType.FLOAT32, 0, 3);
    long[] none = new long[world.size()];
    world.allToAll(nothing, none, Tensor.empty(DType.FLOAT32, 0, 3), none).await();
    world.allReduce(nothing);
    world.broadcast(nothing, 0);
    assertThat(world.allGather(nothing).shape()).containsExactly(world.size(), 0, 3);
  }

  /** Gloo sums around a ring; no element may depend on who asks. */
  private static void sumsAreTheSameBits(Communicator world) {
    for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64, DType.BFLOAT16}) {
      try (Scope scope = Scope.open()) {
        Tensor mine = normal(world.rank()).mulInPlace(Math.pow(10, world.rank()));
        Tensor first = mine.to(dtype).copy();
        Tensor again = mine.to(dtype).copy();
        world.allReduce(first);
        world.allReduce(again);
        world.agree("the sum", Arrays.toString(first.toDoubles()));
        assertThat(again.toDoubles()).containsExactly(first.toDoubles());
      }
    }
  }

  private static Tensor normal(int seed) {
    try (Generator generator = Generator.seeded(seed)) {
      return generator.normal(1001, 7);
    }
  }

  private static void everyTypeIsCarried(Communicator world) {
    int root = world.size() - 1;
    for (DType dtype : DType.values()) {
      Tensor tensor = Tensor.full(world.rank() == root ? 1 : 0, dtype, 3);
      world.broadcast(tensor, root);
      assertThat(tensor.to(DType.FLOAT32).toFloats()).containsOnly(1);
      if (NativeTensors.reduces(dtype)) {
        Tensor rank = Tensor.full(world.rank(), dtype, 5);
        world.allReduce(rank, Reduction.MAXIMUM);
        assertThat(rank.toFloats()).containsOnly(root);
      }
    }
  }

  /** All exchanges around the death are of one kind, whichever of them misses the dead rank. */
  private static void kill(Communicator world) {
    exchangeRows(world, 1).await();
    Pending pending = exchangeRows(world, 4 << 20);
    if (world.rank() == CULPRIT) {
      Runtime.getRuntime().halt(9);
    }
    pending.await();
    exchangeRows(world, 1).await();
  }

  private static void killInASum(Communicator world) {
    Tensor tensor = Tensor.zeros(DType.FLOAT32, 4 << 20);
    killIn(world, () -> world.allReduce(tensor));
  }

  /** Most likely amid a message, half of which has come: Gloo does not notice that. */
  private static void killIn(Communicator world, Runnable exchange) {
    exchange.run();
    if (world.rank() == CULPRIT) {
      new Timer(true)
          .schedule(
              new TimerTask() {
                @Override
                public void run() {
                  Runtime.getRuntime().halt(9);
                }
              },
              300);
    }
    for (int i = 0; i < 100_000; i++) {
      try (Scope scope = Scope.open()) {
        exchange.run();
      }
    }
  }

  private static Pending exchangeRows(Communicator world, int rows) {
    Tensor sent = Tensor.zeros(DType.FLOAT32, (long) rows * world.size(), 4);
    Tensor received = Tensor.zeros(DType.FLOAT32, (long) rows * world.size(), 4);
    long[] counts = new long[world.size()];
    Arrays.fill(counts, rows);
    return world.allToAll(received, counts, sent, counts);
  }

  private static void hang(Communicator world) {
    Exchanges.allReduceSums(world);
    if (world.rank() == CULPRIT) {
      forever();
    }
    world.barrier();
  }

  /** As a machine that loses power: no connection closes, no thread answers. */
  private static void stop(Communicator world) {
    Exchanges.allReduceSums(world);
    if (world.rank() == 0) {
      try {
        new ProcessBuilder("kill", "-STOP", String.valueOf(ProcessHandle.current().pid())).start();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      forever();
    }
    world.barrier();
    world.barrier();
  }

  private static void throwUp(Communicator world) {
    Exchanges.allReduceSums(world);
    if (world.rank() == CULPRIT) {
      throw new CommunicationException("out of ideas", "");
    }
    world.barrier();
  }

  private static void rows(Communicator world) {
    long[] sent = new long[world.size()];
    Arrays.fill(sent, 1);
    long[] received = sent.clone();
    received[CULPRIT] = world.rank() == 0 ? 3 : 1;
    long rows = Arrays.stream(received).sum();
    world
        .allToAll(
            Tensor.zeros(DType.FLOAT32, rows, 8),
            received,
            Tensor.zeros(DType.FLOAT32, world.size(), 8),
            sent)
        .await();
  }

  private static void calls(Communicator world) {
    Tensor tensor = Tensor.zeros(DType.FLOAT32, 2);
    if (world.rank() == CULPRIT) {
      world.broadcast(tensor, 0);
    } else {
      world.allReduce(tensor);
    }
  }

  /** A failure in a group of some, who are named as the world knows them. */
  private static void group(Communicator world) {
    Communicator pair = world.split(world.rank() / 2);
    Exchanges.allReduceSums(pair);
    if (world.rank() == 3) {
      Runtime.getRuntime().halt(9);
    }
    pair.barrier();
    Exchanges.allReduceSums(pair);
  }

  private static void forever() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Medians of seven, for the record; nothing is asserted. */
  private static void measure(Communicator world) {
    for (long bytes : new long[] {64, 1 << 20, 16 << 20, 64 << 20}) {
      try (Scope scope = Scope.open()) {
        long rows = bytes / 64;
        long[] counts = new long[world.size()];
        Arrays.fill(counts, rows / world.size());
        counts[0] += rows % world.size();
        long sum = Arrays.stream(counts).sum();
        long mine = counts[world.rank()] * world.size();
        Tensor sent = Tensor.full(1, DType.FLOAT32, sum, 16);
        Tensor received = Tensor.zeros(DType.FLOAT32, mine, 16);
        long[] from = new long[world.size()];
        Arrays.fill(from, counts[world.rank()]);
        say(world, "all-to-all", bytes, () -> world.allToAll(received, from, sent, counts).await());
        say(world, "all-reduce", bytes, () -> world.allReduce(sent));
      }
    }
    say(world, "barrier", 0, world::barrier);
  }

  private static void say(Communicator world, String what, long bytes, Runnable exchange) {
    double[] millis = new double[7];
    exchange.run();
    exchange.run();
    for (int i = 0; i < millis.length; i++) {
      world.barrier();
      long start = System.nanoTime();
      exchange.run();
      millis[i] = (System.nanoTime() - start) / 1e6;
    }
    Arrays.sort(millis);
    if (world.rank() == 0) {
      System.out.printf(
          "%s of %d bytes: %.2f ms (%.2f to %.2f)%n", what, bytes, millis[3], millis[0], millis[6]);
    }
  }
}
