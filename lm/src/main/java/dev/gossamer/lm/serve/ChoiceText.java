package dev.gossamer.lm.serve;

import dev.gossamer.lm.generate.Completion.Finish;
import dev.gossamer.lm.generate.TextFlow;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * One choice of an answer while it comes: places the scores of tokens in its text, and holds those
 * back whose text was not shown yet.
 */
final class ChoiceText {
  private final TextFlow flow;
  private final StringBuilder text = new StringBuilder();
  private final List<Placed> placed = new ArrayList<>();
  private final Deque<Placed> held = new ArrayDeque<>();
  private final boolean dropSpace;
  private int shown; // characters, a space that was dropped among them
  private int tokens;
  private Finish finish;

  /**
   * A token's score and where its text begins.
   *
   * @param offset characters (code points) of the choice's text before it
   */
  record Placed(TokenScore score, int offset) {}

  /**
   * What is new.
   *
   * @param text to be shown
   * @param scores of tokens whose text begins in what was shown so far
   */
  record Delta(String text, List<Placed> scores) {
    boolean isEmpty() {
      return text.isEmpty() && scores.isEmpty();
    }
  }

  /**
   * @param flow of the tokens whose scores will come
   * @param dropSpace whether a space at its beginning belongs to the form of a conversation
   */
  ChoiceText(TextFlow flow, boolean dropSpace) {
    this.flow = flow;
    this.dropSpace = dropSpace;
  }

  /** Text that stands before all others. */
  Delta echo(String prompt) {
    return show(prompt);
  }

  Delta take(TextEvent event) {
    tokens = event.tokens();
    finish = event.finish().orElse(null);
    for (TokenScore score : event.scores()) {
      held.add(new Placed(score, flow.settled()));
      flow.add(score.id());
    }
    return show(event.piece());
  }

  private Delta show(String piece) {
    String shownPiece =
        dropSpace && shown == 0 && piece.startsWith(" ") ? piece.substring(1) : piece;
    shown += piece.codePointCount(0, piece.length());
    text.append(shownPiece);
    List<Placed> scores = new ArrayList<>();
    while (!held.isEmpty() && (held.element().offset() < shown || finish == Finish.LENGTH)) {
      scores.add(held.remove());
    }
    placed.addAll(scores);
    return new Delta(shownPiece, scores);
  }

  String text() {
    return text.toString();
  }

  List<Placed> scores() {
    return placed;
  }

  /** Tokens that were chosen. */
  int tokens() {
    return tokens;
  }

  /** Why it ended; null as long as it goes on. */
  Finish finish() {
    return finish;
  }
}
