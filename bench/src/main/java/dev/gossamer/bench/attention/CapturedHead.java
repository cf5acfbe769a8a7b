package dev.gossamer.bench.attention;

import dev.gossamer.attention.TokenGrid;

/** The attention heads that were captured; see the package's page for where they come from. */
public enum CapturedHead {
  /** A query's weight lies on few keys: 105 of 4,096 hold 90 % of it. */
  SHARP("t16h16w16.layer1.step3.head0", TokenGrid.video(16, 16, 16)),
  /** A query's weight is spread: 1,636 of 4,096 keys hold 90 % of it. */
  DIFFUSE("t16h16w16.layer4.step10.head2", TokenGrid.video(16, 16, 16)),
  /** Four times as many tokens: 1,332 of 16,384 keys hold 90 % of a query's weight. */
  LARGE("t16h32w32.layer5.step10.head1", TokenGrid.video(16, 32, 32));

  private final String tensors;
  private final TokenGrid grid;

  CapturedHead(String tensors, TokenGrid grid) {
    this.tensors = tensors;
    this.grid = grid;
  }

  /** What the names of its tensors begin with, for example {@code t16h16w16.layer1.step3.head0}. */
  String tensors() {
    return tensors;
  }

  TokenGrid grid() {
    return grid;
  }

  public int tokens() {
    return grid.tokens();
  }

  /** How figures name it, for example {@code layer 1 head 0, 4096 tokens}. */
  public String title() {
    String[] parts = tensors.split("\\.");
    return parts[1].replace("layer", "layer ")
        + " "
        + parts[3].replace("head", "head ")
        + ", "
        + tokens()
        + " tokens";
  }

  /**
   * The first tokens only, whole frames of them.
   *
   * @throws IllegalArgumentException if they are not whole frames of this head
   */
  TokenGrid prefix(int tokens) {
    int frame = grid.height() * grid.width();
    if (tokens < frame || tokens > tokens() || tokens % frame != 0) {
      throw new IllegalArgumentException(
          tokens + " tokens are not 1 to " + grid.frames() + " frames of " + frame);
    }
    return TokenGrid.video(tokens / frame, grid.height(), grid.width());
  }

  /** As many whole frames as fit into so many tokens, but at least one. */
  TokenGrid prefixOfAtMost(int tokens) {
    int frame = grid.height() * grid.width();
    return prefix(Math.max(1, Math.min(tokens, tokens()) / frame) * frame);
  }
}
