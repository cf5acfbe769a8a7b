package dev.gossamer.lm.generate;

import dev.gossamer.lm.data.TextTokenizer;
import java.util.ArrayList;
import java.util.List;

/**
 * Tokens to text as they come: whole characters only, and nothing that may yet turn out to be a
 * stop string.
 */
final class TextFlow {
  private static final char UNFINISHED = '\uFFFD';
  private static final int LONGEST_CHARACTER = 4;

  private final TextTokenizer tokenizer;
  private final List<String> stops;
  private final List<Integer> ids = new ArrayList<>();
  private final int[] before;
  private final String ofBefore;
  private String text = "";
  private int given;
  private boolean stopped;

  /**
   * @param before tokens that the new ones continue: some tokenizers write the first token of a
   *     text without the space that it stands for
   */
  TextFlow(TextTokenizer tokenizer, int[] before, List<String> stops) {
    this.tokenizer = tokenizer;
    this.stops = List.copyOf(stops);
    this.before = before.clone();
    this.ofBefore = tokenizer.decode(before);
  }

  /**
   * Takes a token.
   *
   * @return the text that can be shown now, perhaps none
   */
  String add(int id) {
    ids.add(id);
    text = decoded();
    for (String stop : stops) {
      int at = text.indexOf(stop, Math.max(0, given - stop.length()));
      if (at >= 0) {
        text = text.substring(0, at);
        stopped = true;
      }
    }
    return give(stopped ? text.length() : shown());
  }

  /** The rest: the text has ended without another token. */
  String end() {
    return give(text.length());
  }

  /** Whether a stop string has come. */
  boolean stopped() {
    return stopped;
  }

  String text() {
    return text;
  }

  private String decoded() {
    int[] all = new int[before.length + ids.size()];
    System.arraycopy(before, 0, all, 0, before.length);
    for (int i = 0; i < ids.size(); i++) {
      all[before.length + i] = ids.get(i);
    }
    String whole = tokenizer.decode(all);
    if (whole.startsWith(ofBefore)) {
      return whole.substring(ofBefore.length());
    }
    int finished = ofBefore.length(); // the new tokens go on with a character that was begun
    while (finished > 0 && ofBefore.charAt(finished - 1) == UNFINISHED) {
      finished--;
    }
    String begun = ofBefore.substring(0, finished);
    return whole.startsWith(begun) ? whole.substring(begun.length()) : whole;
  }

  private int shown() {
    int end = text.length();
    while (end > 0
        && text.length() - end < LONGEST_CHARACTER
        && text.charAt(end - 1) == UNFINISHED) {
      end--;
    }
    for (String stop : stops) {
      for (int length = Math.min(stop.length() - 1, end); length > 0; length--) {
        if (text.startsWith(stop.substring(0, length), end - length)) {
          end -= length;
          break;
        }
      }
    }
    return end;
  }

  private String give(int to) {
    int from = Math.min(given, to);
    given = Math.max(given, to);
    return text.substring(from, Math.max(from, to));
  }
}
