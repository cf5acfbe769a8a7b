package dev.gossamer.moe.router;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.moe.router.RouterSettings.Groups;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Chooses experts by their scores, the highest first and of equal ones the lower expert, and knows
 * the way back from the weights' gradient to the logits'. All in float32, or in float64 if the
 * logits are.
 */
public final class Router {
  private static final double SMALLEST_SUM = 1e-20;

  private final RouterSettings settings;
  private final int experts;
  private final int topK;
  private final double[] bias;

  /**
   * @throws UsageException if the settings do not fit the numbers
   */
  public Router(RouterSettings settings, int experts, int topK) {
    if (settings.normalise() && topK == 1) {
      throw new UsageException(
          "A normalised weight of one choice is always 1, and the gate would not learn",
          "Use top-2 or more, or weights that are not normalised");
    }
    Groups groups = settings.groups();
    int size = experts / groups.count();
    if (experts % groups.count() != 0 || topK > groups.top() * size || groups.best() > size) {
      throw new UsageException(
          topK
              + " choices do not fit "
              + groups.top()
              + " of "
              + groups.count()
              + " groups of "
              + experts
              + " experts, rated by their best "
              + groups.best(),
          "Use groups that divide the experts, and enough of them");
    }
    this.settings = settings;
    this.experts = experts;
    this.topK = topK;
    this.bias = new double[experts];
  }

  public RouterSettings settings() {
    return settings;
  }

  /** What is added to the scores for the choice alone; moved by {@link #balanceBias}. */
  public double[] bias() {
    return bias.clone();
  }

  /** Takes over saved biases. */
  public void bias(double[] values) {
    System.arraycopy(values, 0, bias, 0, experts);
  }

  /**
   * Moves each expert's bias one step against its load (loss-free balancing): once per optimiser
   * step, with the choices of all ranks and micro-batches.
   *
   * @param counts slots of each expert
   */
  public void balanceBias(long[] counts, double rate) {
    double mean = Arrays.stream(counts).sum() / (double) experts;
    for (int expert = 0; expert < experts; expert++) {
      bias[expert] += rate * Math.signum(mean - counts[expert]);
    }
  }

  /**
   * Chooses.
   *
   * @param logits {@code [tokens, experts]} float32 or float64, all finite: a layer refuses others,
   *     by its name
   * @param forced choices made elsewhere (recorded, or balanced for a benchmark), whose weights are
   *     still those of the scores
   * @param data ranks over which {@link RouterSettings.Scope#GLOBAL} counts
   */
  public Choice route(
      Tensor logits, TokenBatch batch, Optional<Routing> forced, Communicator data) {
    Tensor scores = settings.scores() == Scores.SOFTMAX ? logits.softmax(-1) : logits.sigmoid();
    int[] chosen = forced.map(Routing::expert).orElseGet(() -> choose(scores, batch));
    Routing wanted = new Routing(batch.tokens(), topK, experts, chosen);
    Tensor index =
        Tensor.of(indices(chosen), batch.tokens(), topK).to(logits.device()).to(DType.INT64);
    Tensor picked = scores.gather(1, index);
    Tensor sums = settings.normalise() ? picked.sum(true, 1).add(SMALLEST_SUM) : null;
    Tensor weights = (sums == null ? picked : picked.div(sums)).mul(settings.scaling());
    Balance balance = Balance.of(settings, logits, scores, wanted, batch, data);
    Routing kept = capped(wanted, weights, batch);
    return new Choice(settings, wanted, kept, weights, scores, index, picked, sums, balance);
  }

  private static int[] indices(int[] chosen) {
    return Arrays.stream(chosen).map(expert -> Math.max(0, expert)).toArray();
  }

  private int[] choose(Tensor scores, TokenBatch batch) {
    boolean limited = settings.groups().top() < settings.groups().count();
    int[] chosen =
        scores.device().isCpu() || limited ? chosenHere(scores, limited) : chosenThere(scores);
    for (int token = 0; token < batch.tokens(); token++) {
      if (batch.padding()[token]) {
        Arrays.fill(chosen, token * topK, (token + 1) * topK, Routing.DROPPED);
      }
    }
    return chosen;
  }

  /**
   * On the device of the scores, whatever it is: a card sorts before a processor has its scores.
   */
  int[] chosenThere(Tensor scores) {
    Tensor rated =
        settings.scores() == Scores.SIGMOID
            ? scores.add(Tensor.of(bias, experts).to(scores.device()))
            : scores;
    return rated.argsort(-1, true).narrow(-1, 0, topK).to(DType.INT32).toInts();
  }

  /** On the processor. */
  int[] chosenHere(Tensor scores, boolean limited) {
    double[] all = scores.toDoubles();
    int tokens = all.length / experts;
    int[] chosen = new int[tokens * topK];
    double[] row = new double[experts];
    for (int token = 0; token < tokens; token++) {
      for (int expert = 0; expert < experts; expert++) {
        double score = all[token * experts + expert];
        row[expert] = settings.scores() == Scores.SIGMOID ? score + bias[expert] : score;
      }
      if (limited) {
        keepTopGroups(row);
      }
      top(row, topK, chosen, token * topK);
    }
    return chosen;
  }

  /** The places of the highest numbers, highest first, of equal ones the lower place. */
  static void top(double[] row, int count, int[] into, int at) {
    int found = 0;
    for (int place = 0; place < row.length; place++) {
      double value = row[place];
      if (found == count && !(value > row[into[at + found - 1]])) {
        continue;
      }
      int slot = found < count ? found++ : count - 1;
      while (slot > 0 && value > row[into[at + slot - 1]]) {
        into[at + slot] = into[at + slot - 1];
        slot--;
      }
      into[at + slot] = place;
    }
  }

  /** Leaves only the groups whose best few experts have the highest sum. */
  private void keepTopGroups(double[] row) {
    Groups groups = settings.groups();
    int size = experts / groups.count();
    double[] sums = new double[groups.count()];
    for (int group = 0; group < sums.length; group++) {
      double[] sorted = Arrays.copyOfRange(row, group * size, (group + 1) * size);
      Arrays.sort(sorted);
      for (int i = 0; i < groups.best(); i++) {
        sums[group] += sorted[size - 1 - i];
      }
    }
    int[] kept = new int[groups.top()];
    top(sums, kept.length, kept, 0);
    for (int group = 0; group < sums.length; group++) {
      int one = group;
      if (IntStream.of(kept).noneMatch(top -> top == one)) {
        Arrays.fill(row, group * size, (group + 1) * size, Double.NEGATIVE_INFINITY);
      }
    }
  }

  /** Without the slots for which an expert has no room. */
  private Routing capped(Routing wanted, Tensor weights, TokenBatch batch) {
    if (Double.isInfinite(settings.capacity())) {
      return wanted;
    }
    int valid = batch.valid(0, batch.tokens());
    int room = (int) Math.ceil((double) valid * topK / experts * settings.capacity());
    int[] kept = wanted.expert().clone();
    double[] weight =
        settings.drop() == RouterSettings.Drop.LOWEST_WEIGHT ? weights.toDoubles() : new double[0];
    for (int expert = 0; expert < experts; expert++) {
      int one = expert;
      IntStream slots = IntStream.range(0, kept.length).filter(slot -> kept[slot] == one);
      int[] order =
          settings.drop() == RouterSettings.Drop.LATEST
              ? slots.toArray()
              : slots
                  .boxed()
                  .sorted(
                      (a, b) ->
                          weight[a] != weight[b] ? Double.compare(weight[b], weight[a]) : a - b)
                  .mapToInt(Integer::intValue)
                  .toArray();
      for (int i = room; i < order.length; i++) {
        kept[order[i]] = Routing.DROPPED;
      }
    }
    return new Routing(wanted.tokens(), topK, experts, kept);
  }
}
