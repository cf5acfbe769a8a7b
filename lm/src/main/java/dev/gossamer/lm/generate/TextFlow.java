package dev.gossamer.lm.generate;

import dev.gossamer.lm.data.TextTokenizer;
import java.util.Arrays;
import java.util.List;

/**
 * Tokens to text as they come: whole characters only, and nothing that may yet turn out to be a
 * stop string. A token costs the decoding of a few: those since the last border between characters,
 * and as their context those before it back to the border before that, since some tokenizers write
 * the first token that they are given without the space that it stands for. Used by one thread.
 */
public final class TextFlow {
  private static final char UNFINISHED = '\uFFFD';
  private static final int LONGEST_CHARACTER = 4;
  private static final int LONGEST_WINDOW = 16;

  private final TextTokenizer tokenizer;
  private final List<String> stops;
  private final StringBuilder text = new StringBuilder();
  private int[] window; // the context, and behind it what has not settled
  private int size;
  private int context;
  private String ofContext;
  private String begun = "";
  private int settled;
  private int settledCharacters;
  private int given;
  private boolean stopped;

  /**
   * @param before tokens that the new ones continue, perhaps none
   * @param stops strings at which the text ends; they are no part of it
   */
  public TextFlow(TextTokenizer tokenizer, int[] before, List<String> stops) {
    this.tokenizer = tokenizer;
    this.stops = List.copyOf(stops);
    this.window = before.clone();
    this.size = before.length;
    this.context = size;
    this.ofContext = decoded(0, size);
    for (int back = 1;
        back < Math.min(LONGEST_CHARACTER, size + 1) && isUnfinished(ofContext);
        back++) {
      String whole = decoded(0, size - back);
      if (!isUnfinished(whole)) { // the last tokens begin a character, which new ones may finish
        this.context = size - back;
        this.ofContext = whole;
        this.begun = decoded(context, size);
      }
    }
  }

  /**
   * Takes a token.
   *
   * @return the text that can be shown now, perhaps none
   */
  public String add(int id) {
    window = size == window.length ? Arrays.copyOf(window, 2 * size + 8) : window;
    window[size++] = id;
    String whole = decoded(0, size);
    String tail = behindContext(whole);
    text.setLength(settled);
    text.append(tail);
    for (String stop : stops) {
      int at = text.indexOf(stop, Math.max(0, given - stop.length()));
      if (at >= 0) {
        text.setLength(at);
        stopped = true;
      }
    }
    if (stopped) {
      return give(text.length());
    }
    String piece = give(shown());
    if (tail.isEmpty()) {
      forget();
    } else if (!isUnfinished(tail)) {
      settle(size, tail.length());
    } else if (size - context > LONGEST_WINDOW) {
      settleEarlier(whole);
    }
    return piece;
  }

  /** The rest: the text has ended without another token. */
  public String end() {
    return give(text.length());
  }

  /** Whether a stop string has come. */
  public boolean stopped() {
    return stopped;
  }

  /** How much of the text no further token can change, in characters (code points). */
  public int settled() {
    return settledCharacters;
  }

  public String text() {
    return text.toString();
  }

  /** Tokens that the next one is decoded with. */
  int window() {
    return size;
  }

  private String decoded(int from, int to) {
    return tokenizer.decode(Arrays.copyOfRange(window, from, to));
  }

  private static boolean isUnfinished(String text) {
    return !text.isEmpty() && text.charAt(text.length() - 1) == UNFINISHED;
  }

  /** Text of the tokens behind the context; of a character that was begun there, if it is whole. */
  private String behindContext(String whole) {
    // Tokens of single bytes beside words are decoded together, and while a character is unfinished
    // those before it cannot be read either.
    String behind =
        whole.startsWith(ofContext) ? whole.substring(ofContext.length()) : decoded(context, size);
    return behind.startsWith(begun) ? behind.substring(begun.length()) : behind;
  }

  /** Leaves out a token without text, of which there may be many one after the other. */
  private void forget() {
    if (!ofContext.isEmpty() && !isUnfinished(ofContext) && begun.isEmpty()) {
      size--;
    }
  }

  /**
   * @param at tokens of the window of which the text is certain
   * @param characters that they add to what has settled, in {@code char}s
   */
  private void settle(int at, int characters) {
    settledCharacters += text.codePointCount(settled, settled + characters);
    settled += characters;
    size -= context;
    System.arraycopy(window, context, window, 0, size);
    context = at - context;
    ofContext = decoded(0, context);
    begun = "";
  }

  /**
   * Keeps the window short among bytes that are no text: behind a place before which and behind
   * which the tokens give the same apart as together, and far enough back that no character reaches
   * over it to tokens that are still to come.
   */
  private void settleEarlier(String whole) {
    for (int back = LONGEST_CHARACTER; back < 2 * LONGEST_CHARACTER; back++) {
      String head = decoded(0, size - back);
      String rest = decoded(size - back, size);
      if (!rest.isEmpty() && head.startsWith(ofContext) && whole.equals(head + rest)) {
        settle(size - back, behindContext(head).length());
        return;
      }
    }
  }

  private int shown() {
    int end = text.length();
    while (end > 0
        && text.length() - end < LONGEST_CHARACTER
        && text.charAt(end - 1) == UNFINISHED) {
      end--;
    }
    for (String stop : stops) {
      String last = text.substring(Math.max(0, end - stop.length() + 1), end);
      for (int length = last.length(); length > 0; length--) {
        if (stop.startsWith(last.substring(last.length() - length))) {
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
