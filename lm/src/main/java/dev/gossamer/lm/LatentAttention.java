package dev.gossamer.lm;

import dev.gossamer.lm.Rows.Span;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.Projection;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/**
 * Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, 2.1). A token is narrowed to {@code c
 * = Norm(Wa x)} and to a rotary row r that all heads share; head i has the key {@code [Uk_i c | r]}
 * and the value {@code Uv_i c}.
 *
 * <p>A sequence's first rows are computed so. Further ones read the cache, which holds {@code [c |
 * r]} of every token: as {@code q (Uk c) = (Uk^T q) c}, the query goes to the narrow width and what
 * comes back is widened by Uv once, instead of every key and value again for every new token.
 *
 * <p>Scores and their products are float32 (float64 in a float64 model) whatever the weights' type.
 */
final class LatentAttention implements Branch {
  private static final double EPSILON = 1e-6; // of DeepSeek's narrow norms, whatever the model's

  private final AttentionSettings.Latent settings;
  private final int layer;
  private final DType exact;
  private final Threads threads;
  private final RotaryTable rotary;
  private final Narrow queryDown; // null unless queries are narrowed
  private final Projection query;
  private final Projection down;
  private final Norm norm;
  private final Projection up;
  private final Projection output;

  /** A matrix to a narrow width and the norm behind it. */
  private record Narrow(Projection down, Norm norm) {}

  LatentAttention(
      AttentionSettings.Latent settings,
      int hidden,
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
    int rank = settings.rank();
    int narrow = settings.queryRank();
    long heads = settings.heads();
    this.queryDown =
        narrow == 0
            ? null
            : new Narrow(
                fresh.reading(name + ".q_down", narrow, hidden, false),
                Norm.of(NormKind.RMS, EPSILON, name + ".q_norm", narrow, fresh));
    this.query =
        fresh.reading(
            name + (narrow == 0 ? ".q" : ".q_up"),
            heads * settings.headDim(),
            narrow == 0 ? hidden : narrow,
            false);
    this.down = fresh.reading(name + ".kv_down", rank + settings.rotaryDim(), hidden, false);
    this.norm = Norm.of(NormKind.RMS, EPSILON, name + ".kv_norm", rank, fresh);
    this.up =
        fresh.reading(
            name + ".kv_up", heads * (settings.plainDim() + settings.valueDim()), rank, false);
    this.output = fresh.writing(name + ".o", hidden, heads * settings.valueDim());
  }

  @Override
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>();
    if (queryDown != null) {
      all.addAll(queryDown.down().parameters());
      all.addAll(queryDown.norm().parameters());
    }
    all.addAll(query.parameters());
    all.addAll(down.parameters());
    all.addAll(norm.parameters());
    all.addAll(up.parameters());
    all.addAll(output.parameters());
    return all;
  }

  @Override
  public Pass forward(Tensor x, Rows rows) {
    return new Saved(x, rows);
  }

  private double scale() {
    return settings.scoreScale() / Math.sqrt(settings.headDim());
  }

  /** {@code [rows, heads, width]} in the exact type. */
  private Tensor heads(Tensor rows, int width) {
    return rows.reshape(rows.size(0), settings.heads(), width).to(exact);
  }

  /** The first columns and the others. */
  private static Tensor[] split(Tensor rows, long first) {
    int last = rows.dims() - 1;
    return new Tensor[] {
      rows.narrow(last, 0, first), rows.narrow(last, first, rows.size(last) - first)
    };
  }

  /** What one pass computes, kept for the way back. */
  private final class Saved implements Pass {
    private final Tensor x;
    private final Rows rows;
    private final RotaryTable.Turn turn;
    private final Tensor rawQuery; // null unless queries are narrowed
    private final Tensor readQuery;
    private final Tensor q; // [rows, heads, plain + rotary], turned
    private final Tensor raw; // [rows, rank], before the norm
    private final Tensor c;
    private final Tensor k; // [rows, heads, plain + rotary], turned; null if no sequence begins
    private final Tensor v;
    private final Tensor attended;
    private final Tensor joined;
    private final Tensor y;

    Saved(Tensor x, Rows rows) {
      this.x = x;
      this.rows = rows;
      this.turn = rotary.at(rows.positions(x.device()));
      this.rawQuery = queryDown == null ? null : queryDown.down().forward(x, threads);
      this.readQuery = queryDown == null ? x : queryDown.norm().forward(rawQuery);
      this.q = turned(heads(query.forward(readQuery, threads), settings.headDim()));
      Tensor[] narrow = split(down.forward(x, threads), settings.rank());
      this.raw = narrow[0].contiguous();
      this.c = norm.forward(raw);
      Tensor shared = turn.of(narrow[1].to(exact).unsqueeze(1));
      boolean begins = rows.spans().stream().anyMatch(span -> span.start() == 0);
      Tensor[] wide = begins ? wide(c) : new Tensor[2];
      this.k = begins ? Tensor.cat(2, wide[0], shared.expand(-1, settings.heads(), -1)) : null;
      this.v = wide[1];
      this.attended =
          Tensor.empty(exact, x.device(), x.size(0), settings.heads(), settings.valueDim());
      attend(shared);
      this.joined = attended.flatten(1, 2).to(x.dtype());
      this.y = output.forward(joined, threads);
    }

    /** Of every head the key's part without position, and the value. */
    private Tensor[] wide(Tensor narrow) {
      int width = settings.plainDim() + settings.valueDim();
      return split(heads(up.forward(narrow, threads), width), settings.plainDim());
    }

    private Tensor turned(Tensor heads) {
      Tensor[] parts = split(heads, settings.plainDim());
      return Tensor.cat(2, parts[0], turn.of(parts[1]));
    }

    private void attend(Tensor shared) {
      Tensor kept = Tensor.cat(2, c.to(exact).unsqueeze(1), shared);
      List<Tensor> seen = new ArrayList<>(); // [tokens, rank + rotary] of each sequence so far
      for (Span span : rows.spans()) {
        seen.add(
            span.cache() == null
                ? null
                : span.cache()
                    .append(layer, kept.narrow(0, span.from(), span.count()))
                    .get(0)
                    .select(0, 0));
      }
      rows.eachHead(
          settings.heads(),
          threads,
          (span, number, head) -> {
            Tensor of = span.of(attended, head);
            if (span.start() == 0) {
              CausalProduct.forward(
                  of, span.of(q, head), span.of(k, head), span.of(v, head), scale());
            } else {
              narrowly(of, span.of(q, head), seen.get(number), head);
            }
          });
    }

    /** {@code softmax([Uk^T q | q'] [c | r]^T) c Uv^T} of one head. */
    private void narrowly(Tensor of, Tensor some, Tensor seen, int head) {
      int width = settings.plainDim() + settings.valueDim();
      Tensor weight = up.weight().value().narrow(0, (long) head * width, width).to(exact);
      Tensor[] parts = split(some, settings.plainDim());
      Tensor[] ups = {
        weight.narrow(0, 0, settings.plainDim()),
        weight.narrow(0, settings.plainDim(), settings.valueDim())
      };
      Tensor asked = Tensor.cat(1, parts[0].matmul(ups[0]), parts[1]);
      Tensor given = Tensor.empty(exact, some.device(), some.size(0), settings.rank());
      CausalProduct.forward(given, asked, seen, seen.narrow(1, 0, settings.rank()), scale());
      Tensor.matmulInto(of, given, ups[1].transpose(0, 1));
    }

    @Override
    public Tensor output() {
      return y;
    }

    @Override
    public Tensor backward(Tensor ofOutput, double lossScale) {
      int part = rows.batch().number();
      Tensor ofAttended =
          heads(output.backward(joined, ofOutput, part, threads), settings.valueDim());
      Tensor ofQ = Tensor.empty(exact, q.device(), q.shape());
      Tensor ofK = Tensor.empty(exact, k.device(), k.shape()).fill(0);
      Tensor ofV = Tensor.empty(exact, v.device(), v.shape()).fill(0);
      rows.eachHead(
          settings.heads(),
          threads,
          (span, number, head) ->
              CausalProduct.backward(
                  span.of(ofQ, head),
                  span.of(ofK, head),
                  span.of(ofV, head),
                  span.of(q, head),
                  span.of(k, head),
                  span.of(v, head),
                  scale(),
                  span.of(attended, head),
                  span.of(ofAttended, head)));
      return keysBack(ofK, ofV, part).addInPlace(queryBack(ofQ, part));
    }

    private Tensor queryBack(Tensor ofQ, int part) {
      Tensor[] parts = split(ofQ, settings.plainDim());
      Tensor ofWide = flat(Tensor.cat(2, parts[0], turn.back(parts[1])));
      Tensor ofRead = query.backward(readQuery, ofWide, part, threads);
      return queryDown == null
          ? ofRead
          : queryDown
              .down()
              .backward(x, queryDown.norm().backward(rawQuery, ofRead, part), part, threads);
    }

    private Tensor keysBack(Tensor ofK, Tensor ofV, int part) {
      Tensor[] parts = split(ofK, settings.plainDim());
      Tensor ofShared = turn.back(parts[1].sum(true, 1)).select(1, 0).to(x.dtype());
      Tensor ofC = up.backward(c, flat(Tensor.cat(2, parts[0], ofV)), part, threads);
      Tensor ofNarrow = Tensor.cat(1, norm.backward(raw, ofC, part), ofShared);
      return down.backward(x, ofNarrow, part, threads);
    }

    private Tensor flat(Tensor heads) {
      return heads.flatten(1, 2).to(x.dtype());
    }
  }
}
