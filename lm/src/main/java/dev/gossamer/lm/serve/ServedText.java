package dev.gossamer.lm.serve;

import dev.gossamer.lm.KeyValueCache;
import dev.gossamer.lm.generate.Completion.Finish;
import dev.gossamer.lm.generate.Continuation;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** One text between its submission and its end; the engine's thread has it alone. */
final class ServedText {
  private final Submission submission;
  private final int number;
  private final TextRequest request;
  private final int[] prompt;
  private final Continuation continuation;
  private final List<TokenScore> scores = new ArrayList<>();
  private KeyValueCache cache;
  private int read;
  private long begun;
  private long lastToken = System.nanoTime();
  private TextEvent end;

  ServedText(Submission submission, int number, TextRequest request, Continuation continuation) {
    this.submission = submission;
    this.number = number;
    this.request = request;
    this.prompt = request.prompt();
    this.continuation = continuation;
  }

  boolean isUnwanted() {
    return submission.cancelled();
  }

  /** Tokens of cache that it has to be sure of. */
  int longest() {
    return request.extent() == TextRequest.Extent.PROMPT ? prompt.length : continuation.longest();
  }

  /** Lets it run; the cache is closed with it. */
  void begin(KeyValueCache newCache) {
    cache = newCache;
    begun = System.nanoTime();
    if (request.scoresPrompt()) {
      scores.add(TokenScore.ofFirst(prompt[0]));
    }
  }

  KeyValueCache cache() {
    return cache;
  }

  /** Tokens of the prompt that were not read yet. */
  int unread() {
    return prompt.length - read;
  }

  /** What it adds to a step: of the prompt at most so many tokens, or the last one chosen. */
  Share share(int most) {
    if (unread() == 0) {
      return new Share(this, new int[] {continuation.lastId()}, new int[] {0});
    }
    int[] ids = Arrays.copyOfRange(prompt, read, read + Math.min(most, unread()));
    if (request.scoresPrompt()) {
      return new Share(this, ids, IntStream.range(0, ids.length).toArray());
    }
    boolean last = ids.length == unread();
    return new Share(this, ids, last ? new int[] {ids.length - 1} : new int[0]);
  }

  /**
   * A text's rows of a step.
   *
   * @param wanted those of its rows whose logits it needs
   */
  record Share(ServedText text, int[] ids, int[] wanted) {
    boolean isPrompt() {
      return text.unread() > 0;
    }
  }

  /**
   * Takes the logits of a wanted row.
   *
   * @param row among those of the share
   * @throws GossamerException if they are no numbers
   */
  void take(Share share, int row, double[] logits) {
    for (double logit : logits) {
      if (!Double.isFinite(logit)) {
        throw new GossamerException("The model's logits are not finite", "Use other weights");
      }
    }
    int next = read + row + 1;
    if (share.isPrompt() && next < prompt.length) {
      scorePrompt(prompt[next], logits);
    } else if (request.extent() == TextRequest.Extent.PROMPT) {
      publish("", Optional.of(Finish.LENGTH), Optional.empty());
    } else {
      int before = continuation.count();
      String piece = continuation.take(logits);
      if (request.likeliest().isPresent() && continuation.count() > before) {
        scores.add(TokenScore.of(continuation.lastId(), logits, request.likeliest().getAsInt()));
      }
      publish(piece, continuation.finish(), Optional.empty());
    }
  }

  private void scorePrompt(int id, double[] logits) {
    scores.add(TokenScore.of(id, logits, request.likeliest().orElseThrow()));
  }

  /** Tells that the rows of a share are in the cache. */
  void advance(Share share) {
    read = Math.min(prompt.length, read + share.ids().length);
  }

  void cancel() {
    publish(continuation.cancel(), Optional.of(Finish.CANCELLED), Optional.empty());
  }

  void fail(String reason) {
    publish("", Optional.empty(), Optional.of(reason));
  }

  private void publish(String piece, Optional<Finish> finish, Optional<String> failure) {
    TextEvent event = new TextEvent(number, piece, scores, continuation.count(), finish, failure);
    scores.clear();
    if (event.isLast()) {
      end = event;
    } else if (!piece.isEmpty() || !event.scores().isEmpty()) {
      submission.publish(event);
    }
  }

  boolean ended() {
    return end != null;
  }

  /** Why it ended; only of one that ended and did not fail. */
  Finish finish() {
    return end.finish().orElseThrow();
  }

  /** Tokens that were chosen. */
  int count() {
    return continuation.count();
  }

  int promptLength() {
    return prompt.length;
  }

  /** Seconds since the token before, or since the submission. */
  double secondsSinceToken() {
    long now = System.nanoTime();
    double seconds = (now - lastToken) / 1e9;
    lastToken = now;
    return seconds;
  }

  /** Seconds since it was let in. */
  double secondsOfRun() {
    return (System.nanoTime() - begun) / 1e9;
  }

  /** Frees its cache, and then tells that it has ended: who hears it finds room. */
  void close() {
    if (cache != null) {
      cache.close();
    }
    submission.publish(end);
  }
}
