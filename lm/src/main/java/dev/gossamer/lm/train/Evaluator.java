package dev.gossamer.lm.train;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Measures a model on held-out tokens, in windows that do not overlap. Ranks take windows in turn;
 * losses are summed in the order of the windows, whatever the number of ranks.
 */
public final class Evaluator {
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
    int rounds = (int) ((windows + world.size() - 1) / world.size());
    double[] own = new double[rounds];
    int[] ids = new int[length];
    int[] targets = new int[length];
    for (int round = 0; round < rounds; round++) {
      // A rank without a window looks at the last again: all take part in every exchange.
      long window = Math.min(windows - 1, (long) round * world.size() + world.rank());
      file.read(window * length, ids, 0, length);
      file.read(window * length + 1, targets, 0, length);
      own[round] = model.loss(ids, targets, 1);
    }
    double sum = 0;
    try (Scope scope = Scope.open()) {
      double[] all = world.allGather(Tensor.of(own, rounds)).toDoubles();
      for (long window = 0; window < windows; window++) {
        sum += all[(int) (window % world.size()) * rounds + (int) (window / world.size())];
      }
    }
    return new Evaluation(step, windows * length, bytes, sum);
  }
}
