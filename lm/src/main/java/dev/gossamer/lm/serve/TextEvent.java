package dev.gossamer.lm.serve;

import dev.gossamer.lm.generate.Completion.Finish;
import java.util.List;
import java.util.Optional;

/**
 * How one text of a submission has come along.
 *
 * @param text its number among those that were submitted, from 0
 * @param piece what can be shown now, perhaps nothing
 * @param scores of tokens that were read or chosen since the last event, if they are wanted
 * @param tokens that were chosen so far
 * @param finish why it ended; empty as long as it goes on, and if it failed
 * @param failure why it could not go on
 */
record TextEvent(
    int text,
    String piece,
    List<TokenScore> scores,
    int tokens,
    Optional<Finish> finish,
    Optional<String> failure) {
  TextEvent {
    scores = List.copyOf(scores);
  }

  /** Whether none follows for this text. */
  boolean isLast() {
    return finish.isPresent() || failure.isPresent();
  }
}
