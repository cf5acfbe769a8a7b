package dev.gossamer.bench.attention;

import dev.gossamer.attention.TokenGrid;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * A captured head, or the first frames of one, as every head of an attention.
 *
 * @param name for example {@code wan mini 4096 sharp}
 * @param head where the numbers come from
 * @param grid of the tokens that are used
 */
record AttentionCase(String name, CapturedHead head, TokenGrid grid) {
  /** Every captured head whole: one case each, so that errors are told apart. */
  static List<AttentionCase> whole() {
    return Stream.of(CapturedHead.values())
        .map(head -> new AttentionCase(whole(head), head, head.grid()))
        .toList();
  }

  private static String whole(CapturedHead head) {
    String which = head == CapturedHead.LARGE ? "" : " " + head.name().toLowerCase(Locale.ROOT);
    return "wan mini " + head.tokens() + which;
  }

  /** Beginnings of the largest captured head. */
  static List<AttentionCase> beginnings(List<Integer> lengths) {
    CapturedHead head = CapturedHead.LARGE;
    return lengths.stream()
        .map(
            tokens ->
                new AttentionCase(
                    "wan mini " + head.tokens() + " first " + tokens, head, head.prefix(tokens)))
        .toList();
  }

  int tokens() {
    return grid.tokens();
  }
}
