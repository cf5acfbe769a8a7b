package dev.gossamer.lm;

import dev.gossamer.lm.Rows.Span;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.Projection;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Causal attention over the tokens of a sequence, those of its cache included. Scores and their
 * products are float32 (float64 in a float64 model) whatever the weights' type. Heads are spread
 * over threads; the query heads of one head of keys stay together, so that nothing depends on the
 * number of threads. A card takes the heads of all sequences at once where these are alike.
 */
final class CausalAttention implements Branch {
  private final AttentionSettings.Grouped settings;
  private final int layer;
  private final DType exact;
  private final Threads threads;
  private final RotaryTable rotary; // null without
  private final Projection query;
  private final Projection key;
  private final Projection value;
  private final Projection output;
  private final Norm queryNorm; // null without
  private final Norm keyNorm;

  /**
   * @param rotary null unless positions are rotary
   */
  CausalAttention(
      AttentionSettings.Grouped settings,
      ModelSettings model,
      int layer,
      String name,
      FreshWeights fresh,
      RotaryTable rotary,
      Threads threads) {
    this.settings = settings;
    this.layer = layer;
    this.exact = FreshWeights.exact(fresh.dtype());
    this.threads = threads;
    this.rotary = rotary;
    int hidden = model.hidden();
    int width = settings.headDim();
    boolean bias = settings.bias();
    this.query = fresh.reading(name + ".q", (long) settings.heads() * width, hidden, bias);
    this.key = fresh.reading(name + ".k", (long) settings.kvHeads() * width, hidden, bias);
    this.value = fresh.reading(name + ".v", (long) settings.kvHeads() * width, hidden, bias);
    this.output = fresh.writing(name + ".o", hidden, (long) settings.heads() * width);
    double eps = model.normEps();
    boolean norms = settings.headNorm();
    this.queryNorm = norms ? Norm.of(NormKind.RMS, eps, name + ".q_norm", width, fresh) : null;
    this.keyNorm = norms ? Norm.of(NormKind.RMS, eps, name + ".k_norm", width, fresh) : null;
  }

  @Override
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>();
    for (Projection projection : List.of(query, key, value, output)) {
      all.addAll(projection.parameters());
    }
    if (queryNorm != null) {
      all.addAll(queryNorm.parameters());
      all.addAll(keyNorm.parameters());
    }
    return all;
  }

  @Override
  public Pass forward(Tensor x, Rows rows) {
    RotaryTable.Turn turn = rotary == null ? null : rotary.at(rows.positions(x.device()));
    Tensor rawQuery = heads(query.forward(x, threads), settings.heads());
    Tensor rawKey = heads(key.forward(x, threads), settings.kvHeads());
    Tensor q = placed(rawQuery, queryNorm, turn);
    Tensor k = placed(rawKey, keyNorm, turn);
    Tensor v = heads(value.forward(x, threads), settings.kvHeads());
    Tensor attended = Tensor.empty(exact, x.device(), q.shape());
    if (isTakenAtOnce(rows, x.device())) {
      eachMember(
          rows,
          settings,
          (queries, keys) ->
              CausalProduct.forward(
                  queries.apply(attended),
                  queries.apply(q),
                  keys.apply(k),
                  keys.apply(v),
                  scale()));
    } else {
      oneByOne(rows, q, k, v, attended);
    }
    Tensor joined = attended.flatten(1, 2).to(x.dtype());
    Tensor y = output.forward(joined, threads);
    return new Saved(x, rows, turn, rawQuery, rawKey, q, k, v, attended, joined, y);
  }

  /**
   * Takes the sequences one by one, and heads one by one where there are several rows; a single
   * row, as each text has that goes on, is too little work to be divided.
   */
  private void oneByOne(Rows rows, Tensor q, Tensor k, Tensor v, Tensor attended) {
    List<Span> single = rows.spans().stream().filter(span -> span.count() == 1).toList();
    List<Span> longer = rows.spans().stream().filter(span -> span.count() > 1).toList();
    List<List<Tensor>> seen = longer.stream().map(span -> seen(span, k, v)).toList();
    int kvHeads = settings.kvHeads();
    int group = settings.heads() / kvHeads;
    int parts = longer.size() * kvHeads;
    threads.forEach(
        parts + single.size(),
        item -> {
          if (item >= parts) {
            ofRow(single.get(item - parts), q, k, v, attended);
            return;
          }
          Span span = longer.get(item / kvHeads);
          int kv = item % kvHeads;
          List<Tensor> before = seen.get(item / kvHeads);
          for (int head = kv * group; head < (kv + 1) * group; head++) {
            CausalProduct.forward(
                span.of(attended, head),
                span.of(q, head),
                before.get(0).select(0, kv),
                before.get(1).select(0, kv),
                scale());
          }
        });
  }

  /** All heads of a sequence's one row. */
  private void ofRow(Span span, Tensor q, Tensor k, Tensor v, Tensor attended) {
    List<Tensor> before = seen(span, k, v);
    long kvHeads = settings.kvHeads();
    UnaryOperator<Tensor> row =
        heads -> heads.select(0, span.from()).reshape(kvHeads, -1, settings.headDim());
    CausalProduct.ofLast(row.apply(attended), row.apply(q), before.get(0), before.get(1), scale());
  }

  /** Keys and values of a sequence, {@code [kvHeads, tokens, headDim]}; the cache then has them. */
  private List<Tensor> seen(Span span, Tensor k, Tensor v) {
    Tensor keys = k.narrow(0, span.from(), span.count());
    Tensor values = v.narrow(0, span.from(), span.count());
    return span.cache() == null
        ? List.of(keys.transpose(0, 1), values.transpose(0, 1))
        : span.cache().append(layer, keys, values);
  }

  /** {@code [rows, heads, headDim]} in the exact type. */
  private Tensor heads(Tensor rows, int heads) {
    return rows.reshape(rows.size(0), heads, settings.headDim()).to(exact);
  }

  private static Tensor placed(Tensor heads, Norm norm, RotaryTable.Turn turn) {
    Tensor normed = norm == null ? heads : norm.forward(heads.flatten(0, 1)).reshape(heads.shape());
    return turn == null ? normed : turn.of(normed);
  }

  private double scale() {
    return 1 / Math.sqrt(settings.headDim());
  }

  /** Whether the heads of all sequences are taken together, as a card likes it. */
  private static boolean isTakenAtOnce(Rows rows, Device device) {
    return !device.isCpu() && rows.areAlike();
  }

  /** Views of some heads of all sequences, {@code [sequences, kvHeads, tokens, width]}. */
  interface Member {
    /**
     * @param queries of {@code [rows, heads, width]}: one query head of every head of keys
     * @param keys of {@code [rows, kvHeads, width]}
     */
    void of(UnaryOperator<Tensor> queries, UnaryOperator<Tensor> keys);
  }

  /** Does the work for the first query head of every head of keys, then for the second, .. */
  static void eachMember(Rows rows, AttentionSettings.Grouped settings, Member work) {
    int sequences = rows.spans().size();
    int kvHeads = settings.kvHeads();
    int group = settings.heads() / kvHeads;
    long tokens = rows.total() / sequences;
    UnaryOperator<Tensor> keys =
        heads -> heads.reshape(sequences, tokens, kvHeads, heads.size(2)).transpose(1, 2);
    for (int i = 0; i < group; i++) {
      int member = i;
      work.of(
          heads ->
              heads
                  .reshape(sequences, tokens, kvHeads, group, heads.size(2))
                  .select(3, member)
                  .transpose(1, 2),
          keys);
    }
  }

  private interface Head {
    void of(Span span, int number, int kv, int head);
  }

  private void eachHead(Rows rows, Head work) {
    int group = settings.heads() / settings.kvHeads();
    rows.eachHead(
        settings.kvHeads(),
        threads,
        (span, number, kv) -> {
          for (int head = kv * group; head < (kv + 1) * group; head++) {
            work.of(span, number, kv, head);
          }
        });
  }

  private final class Saved implements Pass {
    private final Tensor x;
    private final Rows rows;
    private final RotaryTable.Turn turn;
    private final Tensor rawQuery;
    private final Tensor rawKey;
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;
    private final Tensor attended;
    private final Tensor joined;
    private final Tensor y;

    Saved(
        Tensor x,
        Rows rows,
        RotaryTable.Turn turn,
        Tensor rawQuery,
        Tensor rawKey,
        Tensor q,
        Tensor k,
        Tensor v,
        Tensor attended,
        Tensor joined,
        Tensor y) {
      this.x = x;
      this.rows = rows;
      this.turn = turn;
      this.rawQuery = rawQuery;
      this.rawKey = rawKey;
      this.q = q;
      this.k = k;
      this.v = v;
      this.attended = attended;
      this.joined = joined;
      this.y = y;
    }

    @Override
    public Tensor output() {
      return y;
    }

    @Override
    public Tensor backward(Tensor ofOutput, double lossScale) {
      int part = rows.batch().number();
      Tensor ofAttended = heads(output.backward(joined, ofOutput, part, threads), settings.heads());
      Tensor ofQ = Tensor.empty(exact, q.device(), q.shape());
      Tensor ofK = Tensor.empty(exact, k.device(), k.shape()).fill(0);
      Tensor ofV = Tensor.empty(exact, v.device(), v.shape()).fill(0);
      if (isTakenAtOnce(rows, x.device())) {
        eachMember(
            rows,
            settings,
            (queries, keys) ->
                CausalProduct.backward(
                    queries.apply(ofQ),
                    keys.apply(ofK),
                    keys.apply(ofV),
                    queries.apply(q),
                    keys.apply(k),
                    keys.apply(v),
                    scale(),
                    queries.apply(attended),
                    queries.apply(ofAttended)));
      } else {
        eachHead(
            rows,
            (span, number, kv, head) ->
                CausalProduct.backward(
                    span.of(ofQ, head),
                    span.of(ofK, kv),
                    span.of(ofV, kv),
                    span.of(q, head),
                    span.of(k, kv),
                    span.of(v, kv),
                    scale(),
                    span.of(attended, head),
                    span.of(ofAttended, head)));
      }
      Tensor ofRawQuery = unplaced(rawQuery, ofQ, queryNorm, part);
      Tensor ofRawKey = unplaced(rawKey, ofK, keyNorm, part);
      return query
          .backward(x, flat(ofRawQuery), part, threads)
          .addInPlace(key.backward(x, flat(ofRawKey), part, threads))
          .addInPlace(value.backward(x, flat(ofV), part, threads));
    }

    private Tensor unplaced(Tensor heads, Tensor gradient, Norm norm, int part) {
      Tensor ofNormed = turn == null ? gradient : turn.back(gradient);
      return norm == null
          ? ofNormed
          : norm.backward(heads.flatten(0, 1), ofNormed.flatten(0, 1), part).reshape(heads.shape());
    }

    private Tensor flat(Tensor heads) {
      return heads.flatten(1, 2).to(x.dtype());
    }
  }
}
