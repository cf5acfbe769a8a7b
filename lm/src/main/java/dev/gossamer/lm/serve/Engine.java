package dev.gossamer.lm.serve;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.generate.Continuation;
import dev.gossamer.lm.serve.RefusedException.Reason;
import dev.gossamer.lm.serve.ServedText.Share;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.libtorch.Libtorch;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Continues many texts with one model. One thread has the model: each of its steps is one pass over
 * the last token of every running text and a piece of the prompts that are still to be read. A text
 * joins as soon as there is room and leaves when it ends, whatever the others do; those that wait
 * are let in in the order in which they came. A text is let in if the tokens that its cache may
 * come to hold are free, so that none that runs has to stop for want of memory.
 *
 * <p>Other threads submit and wait. A step that fails is taken again by each of its texts alone,
 * and ends those alone that fail then. Where other ranks lend their experts, they hear of the
 * engine also while it has nothing to do; one that fails ends it.
 */
final class Engine implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Engine.class);
  private static final Duration SOON = Duration.ofSeconds(1);
  private static final Duration LATE = Duration.ofSeconds(60);

  /** Less than the shortest time-out of ranks, a second. */
  private static final Duration PULSE = Duration.ofMillis(400);

  private final LanguageModel model;
  private final TextTokenizer tokenizer;
  private final EngineSettings settings;
  private final ServerMetrics metrics;
  private final Thread thread;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Deque<ServedText> waiting = new ArrayDeque<>();
  private final List<ServedText> running = new ArrayList<>();
  private int reserved;
  private double secondsPerText;
  private boolean draining;
  private boolean closed;
  private Optional<GossamerException> failure = Optional.empty();

  /** How an engine is. */
  enum State {
    /** Takes texts. */
    OK,
    /** Ends those that it has. */
    DRAINING,
    /** Has met what it could not go on after. */
    FAILED
  }

  /**
   * Starts the thread.
   *
   * @param model used by this engine alone from now on; not closed with it
   * @param tokenizer not closed with it
   */
  Engine(
      LanguageModel model,
      TextTokenizer tokenizer,
      EngineSettings settings,
      ServerMetrics metrics) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.settings = settings;
    this.metrics = metrics;
    metrics.gauge("gossamer_texts_running", "Texts that are being continued.", this::running);
    metrics.gauge("gossamer_texts_waiting", "Texts that wait.", this::waiting);
    metrics.gauge(
        "gossamer_cache_tokens_reserved",
        "Tokens that the caches of running texts may come to hold.",
        this::reserved);
    metrics.gauge(
        "gossamer_cache_tokens", "Of at most so many.", () -> (double) settings.cacheTokens());
    int inside = Libtorch.intraOpThreads(); // as whoever starts it computes
    this.thread =
        new Thread(
            () -> {
              Libtorch.intraOpThreads(inside);
              run();
            },
            "gossamer-engine");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Takes texts to be continued, all or none.
   *
   * @throws UsageException if one cannot be continued by this model, or here
   * @throws RefusedException if there is no room now, or the engine ends
   */
  Submission submit(List<TextRequest> requests) {
    if (requests.size() > settings.most()) {
      throw new UsageException(
          requests.size() + " texts in one request; there is room for " + settings.most(),
          "Ask for fewer");
    }
    Submission submission = new Submission(this::wake);
    List<ServedText> texts = new ArrayList<>();
    for (TextRequest request : requests) {
      Continuation continuation =
          new Continuation(request.completion(), model.settings(), tokenizer, request.prompt());
      ServedText text = new ServedText(submission, texts.size(), request, continuation);
      if (text.longest() > settings.cacheTokens()) {
        throw new UsageException(
            "A text of up to "
                + text.longest()
                + " tokens; there is room for "
                + settings.cacheTokens(),
            "Ask for fewer new tokens");
      }
      texts.add(text);
    }
    lock.lock();
    try {
      if (draining || failure.isPresent()) {
        throw new RefusedException(
            Reason.ENDING, "The server takes no further text", "Ask another one", SOON);
      }
      if (waiting.size() + running.size() + texts.size() > settings.most()) {
        throw new RefusedException(
            Reason.FULL,
            String.format(
                "There is no room for a request of %d: %d texts run, and %d wait",
                texts.size(), running.size(), waiting.size()),
            "Try again later",
            untilRoom());
      }
      waiting.addAll(texts);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    return submission;
  }

  /** About as long as those that wait take. */
  private Duration untilRoom() {
    double seconds = secondsPerText * (1 + (double) waiting.size() / settings.batch());
    Duration about = Duration.ofSeconds((long) Math.ceil(seconds));
    return about.compareTo(SOON) < 0 ? SOON : about.compareTo(LATE) > 0 ? LATE : about;
  }

  private void wake() {
    lock.lock();
    changed.signalAll();
    lock.unlock();
  }

  /** From now on no text is taken; those that are there go on. */
  void drain() {
    lock.lock();
    draining = true;
    lock.unlock();
  }

  /**
   * Waits until no text is there.
   *
   * @return false if some still are
   */
  boolean awaitIdle(Duration patience) throws InterruptedException {
    lock.lock();
    try {
      long left = patience.toNanos();
      while (!(waiting.isEmpty() && running.isEmpty())) {
        if (left <= 0) {
          return false;
        }
        left = changed.awaitNanos(left);
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  State state() {
    lock.lock();
    try {
      return failure.isPresent() ? State.FAILED : draining ? State.DRAINING : State.OK;
    } finally {
      lock.unlock();
    }
  }

  /** What it could not go on after. */
  Optional<GossamerException> failure() {
    lock.lock();
    try {
      return failure;
    } finally {
      lock.unlock();
    }
  }

  int running() {
    lock.lock();
    try {
      return running.size();
    } finally {
      lock.unlock();
    }
  }

  int waiting() {
    lock.lock();
    try {
      return waiting.size();
    } finally {
      lock.unlock();
    }
  }

  int reserved() {
    lock.lock();
    try {
      return reserved;
    } finally {
      lock.unlock();
    }
  }

  /** Cancels what is there and ends the thread. */
  @Override
  public void close() {
    lock.lock();
    draining = true;
    closed = true;
    changed.signalAll();
    lock.unlock();
    boolean interrupted = false;
    while (thread.isAlive()) { // it uses memory that the caller frees afterwards
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    try {
      while (!isClosed()) {
        if (awaitWork()) {
          step();
        } else {
          model.reassureRanks();
        }
      }
    } catch (CommunicationException e) {
      fail(e);
    } catch (Throwable e) {
      LOG.error("The engine has failed", e);
      fail(new GossamerException("The server has failed", "The lines above say why", e));
    } finally {
      endAll();
    }
  }

  private void fail(GossamerException why) {
    lock.lock();
    failure = Optional.of(why);
    lock.unlock();
  }

  private boolean isClosed() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }

  /** Lets in those that fit, after waiting for some; false if there are none yet. */
  private boolean awaitWork() throws InterruptedException {
    lock.lock();
    try {
      dropUnwanted();
      letIn();
      if (running.isEmpty() && !closed) {
        changed.await(PULSE.toMillis(), TimeUnit.MILLISECONDS);
        dropUnwanted();
        letIn();
      }
      return !running.isEmpty() && !closed;
    } finally {
      lock.unlock();
    }
  }

  private void dropUnwanted() {
    for (ServedText text : Stream.concat(waiting.stream(), running.stream()).toList()) {
      if (text.isUnwanted()) {
        text.cancel();
        leave(text, "cancelled");
      }
    }
  }

  private void letIn() {
    while (!waiting.isEmpty()
        && running.size() < settings.batch()
        && reserved + waiting.element().longest() <= settings.cacheTokens()) {
      ServedText text = waiting.remove();
      text.begin(model.newCache(text.longest()));
      reserved += text.longest();
      running.add(text);
    }
  }

  private void leave(ServedText text, String why) {
    lock.lock();
    try {
      if (running.remove(text)) {
        reserved -= text.longest();
        double weight = secondsPerText == 0 ? 1 : 0.1;
        secondsPerText += weight * (text.secondsOfRun() - secondsPerText);
      } else {
        waiting.remove(text);
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    metrics.ended(why);
    text.close();
  }

  private void endAll() {
    boolean failed = failure().isPresent();
    lock.lock();
    List<ServedText> all = Stream.concat(running.stream(), waiting.stream()).toList();
    lock.unlock();
    for (ServedText text : all) {
      if (failed) {
        text.fail("The server has failed; its log says why");
      } else {
        text.cancel();
      }
      leave(text, failed ? "failed" : "cancelled");
    }
  }

  /** One pass for the last tokens of all, and a piece of the prompts that came first. */
  private void step() {
    long start = System.nanoTime();
    List<Share> shares = new ArrayList<>();
    int prefill = settings.prefill();
    for (ServedText text : List.copyOf(running)) {
      if (text.unread() == 0) {
        shares.add(text.share(1));
      } else if (prefill > 0) {
        Share share = text.share(prefill);
        prefill -= share.ids().length;
        shares.add(share);
      }
    }
    pass(shares);
    metrics.step((System.nanoTime() - start) / 1e9);
  }

  private void pass(List<Share> shares) {
    try (Scope scope = Scope.open()) {
      Tensor logits;
      try {
        logits = logits(shares);
      } catch (CommunicationException e) {
        throw e; // no pass can follow
      } catch (RuntimeException | OutOfMemoryError e) {
        if (shares.size() == 1) {
          fail(shares.get(0).text(), e);
        } else { // nothing has entered the caches, so that each may try again
          shares.forEach(share -> pass(List.of(share)));
        }
        return;
      }
      int row = 0;
      for (Share share : shares) {
        hand(share, logits.narrow(0, row, share.wanted().length));
        row += share.wanted().length;
      }
    }
  }

  private Tensor logits(List<Share> shares) {
    int[] ids = shares.stream().flatMapToInt(share -> Arrays.stream(share.ids())).toArray();
    int[] counts = shares.stream().mapToInt(share -> share.ids().length).toArray();
    List<KeyValueCache> caches = shares.stream().map(share -> share.text().cache()).toList();
    int[] wanted = new int[shares.stream().mapToInt(share -> share.wanted().length).sum()];
    int from = 0;
    int next = 0;
    for (Share share : shares) {
      for (int row : share.wanted()) {
        wanted[next++] = from + row;
      }
      from += share.ids().length;
    }
    return model.logits(ids, caches, counts, wanted, metrics::load);
  }

  /**
   * @param logits {@code [wanted, vocabulary]} of one text
   */
  private void hand(Share share, Tensor logits) {
    ServedText text = share.text();
    if (share.isPrompt()) {
      metrics.read(share.ids().length);
    }
    int before = text.count();
    try (Scope scope = Scope.open()) {
      for (int i = 0; i < share.wanted().length; i++) {
        text.take(share, share.wanted()[i], logits.select(0, i).toDoubles());
      }
      text.advance(share);
    } catch (RuntimeException | OutOfMemoryError e) {
      fail(text, e);
      return;
    }
    if (text.count() == 1 && before == 0) {
      metrics.first(text.secondsSinceToken());
    } else if (text.count() > before) {
      metrics.further(text.secondsSinceToken());
    }
    if (text.ended()) {
      leave(text, text.finish().name().toLowerCase(Locale.ROOT));
    }
  }

  private void fail(ServedText text, Throwable e) {
    LOG.error("A text of {} tokens could not be continued", text.promptLength(), e);
    text.fail(
        e instanceof GossamerException
            ? e.getMessage()
            : "The text could not be continued; the server's log says why");
    leave(text, "failed");
  }
}
