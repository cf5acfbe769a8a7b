package dev.gossamer.lm.train;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Measures a model on held-out tokens, in windows that do not overlap. Ranks take windows in turn,
 * a card some at once; losses are summed in the order of the windows, whatever the number of ranks.
 */
public final class Evaluator {
  private static final int CARD_TOKENS = 8192; // of a pass on a card

  private final TokenFile file;
  private final int length;
  private final long windows;
  private final long bytes;

  /**
   * @param length tokens of a window; a shorter text is one window
   * @param most windows that are looked at; 0 for all
   */
  public Evaluator(TokenFile file, TextTokenizer tokenizer, int length, int most) {
    this.file = file;
    long tokens = file.index().tokens() - 1;
    this.length = (int) Math.min(length, Math.max(1, tokens));
    long there = tokens / this.length;
    this.windows = most == 0 ? there : Math.min(most, there);
    this.bytes = bytes(tokenizer);
  }

  /** Bytes of the tokens that are predicted. */
  private long bytes(TextTokenizer tokenizer) {
    long sum = 0;
    int[] targets = new int[length];
    for (long window = 0; window < windows; window++) {
      file.read(window * length + 1, targets, 0, length);
      sum += tokenizer.bytes(targets);
    }
    return sum;
  }

  /** Every rank calls it; all get the result. */
  public Evaluation evaluate(LanguageModel model, Communicator world, long step) {
    // A processor is as fast with one window; a card waits for the calls of so few tokens.
    int together = model.device().isCpu() ? 1 : Math.max(1, CARD_TOKENS / length);
    return evaluate(model, world, step, together);
  }

  /** Likewise, so many windows in a pass. */
  Evaluation evaluate(LanguageModel model, Communicator world, long step, int together) {
    long passes = (windows + together - 1) / together;
    int rounds = (int) ((passes + world.size() - 1) / world.size());
    double[] own = new double[rounds];
    for (int round = 0; round < rounds; round++) {
      // A rank without a pass makes the last again: all take part in every exchange.
      long pass = Math.min(passes - 1, (long) round * world.size() + world.rank());
      long first = pass * together;
      own[round] = loss(model, first, (int) Math.min(together, windows - first));
    }
    double sum = 0;
    try (Scope scope = Scope.open()) {
      double[] all = world.allGather(Tensor.of(own, rounds)).toDoubles();
      for (long pass = 0; pass < passes; pass++) {
        sum += all[(int) (pass % world.size()) * rounds + (int) (pass / world.size())];
      }
    }
    return new Evaluation(step, windows * length, bytes, sum);
  }

  private double loss(LanguageModel model, long first, int count) {
    int[] ids = new int[count * length];
    int[] targets = new int[count * length];
    file.read(first * length, ids, 0, ids.length);
    file.read(first * length + 1, targets, 0, targets.length);
    return model.loss(ids, targets, count);
  }
}
