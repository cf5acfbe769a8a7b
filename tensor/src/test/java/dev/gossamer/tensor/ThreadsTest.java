package dev.gossamer.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.libtorch.Libtorch;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ThreadsTest {
  @Test
  void anInterruptionWaitsUntilAllWorkIsDone() {
    AtomicInteger done = new AtomicInteger();
    CountDownLatch interrupted = new CountDownLatch(1);
    try (Threads threads = new Threads(2)) {
      Thread caller = Thread.currentThread();
      threads.forEach(
          2,
          item -> {
            if (Thread.currentThread() == caller) {
              caller.interrupt();
              interrupted.countDown();
            } else {
              // A latch and not a pause: the caller is interrupted while this one still works.
              while (interrupted.getCount() > 0) {
                Thread.onSpinWait();
              }
            }
            done.incrementAndGet();
          });
    }
    assertThat(Thread.interrupted()).isTrue();
    assertThat(done).hasValue(2);
  }

  @Test
  void aFailureOnAnotherThreadReachesTheCaller() {
    try (Threads threads = new Threads(2)) {
      assertThatThrownBy(
              () ->
                  threads.forEach(
                      2,
                      item -> {
                        if (item == 1) {
                          throw new IllegalArgumentException("item " + item);
                        }
                      }))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("item 1");
    }
  }

  /** libtorch gives a new thread, at its first question, what any thread set last. */
  @Test
  void whatOthersSetDoesNotReachAThreadThatHasItsOwn() throws Exception {
    ExecutorService other = Executors.newSingleThreadExecutor();
    int before = Libtorch.intraOpThreads();
    try {
      other.submit(() -> Libtorch.intraOpThreads(1)).get();
      Libtorch.intraOpThreads(2);
      assertThat(other.submit(() -> Libtorch.intraOpThreads()).get()).isEqualTo(1);
    } finally {
      Libtorch.intraOpThreads(before);
      other.shutdown();
    }
  }

  @Test
  void workInsideUsesAsManyThreadsOfLibtorch() {
    int before = Libtorch.intraOpThreads();
    try (Threads threads = new Threads(3)) {
      threads.inside(() -> assertThat(Libtorch.intraOpThreads()).isEqualTo(3));
    }
    assertThat(Libtorch.intraOpThreads()).isEqualTo(before);
  }

  @Test
  void noWorkIsNoTrouble() {
    try (Threads threads = new Threads(3)) {
      threads.forEach(
          0,
          item -> {
            throw new IllegalStateException("There is no item " + item);
          });
    }
  }
}
