package dev.gossamer.lm;

import dev.gossamer.moe.router.TokenBatch;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/**
 * The rows of one call of a model: which belong to which sequence, and where in it they stand.
 *
 * @param spans sequence after sequence, without gaps
 * @param batch what a mixture of experts is to know of them
 */
record Rows(List<Span> spans, TokenBatch batch) {
  /**
   * Neighbouring rows of one sequence.
   *
   * @param from first row
   * @param count rows
   * @param cache of the sequence's earlier tokens; null if there are none and none will follow
   */
  record Span(int from, int count, KeyValueCache cache) {
    /** Tokens of the sequence before these rows. */
    int start() {
      return cache == null ? 0 : cache.length();
    }

    /** These rows of one head: {@code [count, width]}, a view of {@code [rows, heads, width]}. */
    Tensor of(Tensor heads, int head) {
      return heads.narrow(0, from, count).select(1, head);
    }
  }

  Rows {
    spans = List.copyOf(spans);
  }

  /** Whole sequences of equal length, as in training. */
  static Rows whole(int sequences, int length, int microBatch) {
    List<Span> spans = new ArrayList<>();
    for (int sequence = 0; sequence < sequences; sequence++) {
      spans.add(new Span(sequence * length, length, null));
    }
    return new Rows(spans, TokenBatch.of(sequences * length, sequences).numbered(microBatch));
  }

  /** Further tokens of sequences that have begun. */
  static Rows further(List<KeyValueCache> caches, int[] counts) {
    List<Span> spans = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < counts.length; i++) {
      caches.get(i).requireRoom(counts[i]);
      spans.add(new Span(from, counts[i], caches.get(i)));
      from += counts[i];
    }
    return new Rows(spans, TokenBatch.of(from));
  }

  /** One head of one sequence. */
  interface HeadWork {
    /**
     * @param number of the span
     */
    void of(Span span, int number, int head);
  }

  /** Does the work of every head of every sequence, spread over threads. */
  void eachHead(int heads, Threads threads, HeadWork work) {
    threads.forEach(
        spans.size() * heads, item -> work.of(spans.get(item / heads), item / heads, item % heads));
  }

  /** Whether these are whole sequences of one length, so that they can be taken all at once. */
  boolean areAlike() {
    int count = spans.get(0).count();
    return spans.stream().allMatch(span -> span.cache() == null && span.count() == count);
  }

  int total() {
    return batch.tokens();
  }

  /** INT32 {@code [rows]} on a device: where each row stands in its sequence. */
  Tensor positions(Device device) {
    int[] positions = new int[total()];
    for (Span span : spans) {
      for (int i = 0; i < span.count(); i++) {
        positions[span.from() + i] = span.start() + i;
      }
    }
    return Tensor.of(positions, positions.length).to(device);
  }

  void advance() {
    for (Span span : spans) {
      if (span.cache() != null) {
        span.cache().advance(span.count());
      }
    }
  }
}
