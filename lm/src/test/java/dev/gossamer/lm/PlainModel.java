package dev.gossamer.lm;

import dev.gossamer.moe.ExpertActivation;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.moe.router.RouterSettings.Scores;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** The model as loops over tokens in double precision: one sequence, nothing shared, no tensor. */
final class PlainModel {
  private final ModelSettings settings;
  private final Map<String, double[]> weights = new TreeMap<>();

  PlainModel(ModelSettings settings, List<Parameter> parameters) {
    this.settings = settings;
    for (Parameter parameter : parameters) {
      weights.put(parameter.name(), parameter.value().toDoubles());
    }
  }

  /** {@code [tokens][vocabulary]}. */
  double[][] logits(int[] ids) {
    int h = settings.hidden();
    double[][] x = new double[ids.length][];
    for (int t = 0; t < ids.length; t++) {
      x[t] = Arrays.copyOfRange(weights.get("embedding"), ids[t] * h, (ids[t] + 1) * h);
      if (settings.attention().positions() == Positions.LEARNED) {
        add(x[t], Arrays.copyOfRange(weights.get("positions"), t * h, (t + 1) * h));
      }
    }
    for (int layer = 0; layer < settings.layers(); layer++) {
      String name = "layers." + layer;
      double[][] read = normed(name + ".attention_norm", x);
      double[][] attended =
          settings.attention() instanceof AttentionSettings.Grouped grouped
              ? attention(name, grouped, read)
              : new PlainLatentAttention(this, settings).of(name + ".attention", read);
      for (int t = 0; t < x.length; t++) {
        add(x[t], attended[t]);
      }
      double[][] mixed = normed(name + ".feed_forward_norm", x);
      for (int t = 0; t < x.length; t++) {
        add(
            x[t],
            settings.hasExperts(layer) ? experts(name + ".moe", mixed[t]) : dense(name, mixed[t]));
      }
    }
    String head = settings.tied() ? "embedding" : "head";
    double[][] last = normed("final_norm", x);
    return Arrays.stream(last)
        .map(row -> linear(head, 0, row, settings.vocabulary()))
        .toArray(double[][]::new);
  }

  private static void add(double[] to, double[] more) {
    for (int i = 0; i < to.length; i++) {
      to[i] += more[i];
    }
  }

  private double[][] normed(String name, double[][] x) {
    return Arrays.stream(x)
        .map(row -> norm(name, settings.norm(), settings.normEps(), row))
        .toArray(double[][]::new);
  }

  double[] norm(String name, NormKind kind, double eps, double[] row) {
    double[] weight = weights.get(name);
    double mean = kind == NormKind.LAYER ? Arrays.stream(row).average().orElseThrow() : 0;
    double size =
        Arrays.stream(row).map(v -> (v - mean) * (v - mean)).average().orElseThrow() + eps;
    double[] y = new double[row.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = (row[i] - mean) / Math.sqrt(size) * weight[i];
      y[i] += kind == NormKind.LAYER ? weights.get(name + "_bias")[i] : 0;
    }
    return y;
  }

  private double[][] attention(String name, AttentionSettings.Grouped a, double[][] x) {
    int d = a.headDim();
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double[] joined = new double[a.heads() * d];
      for (int head = 0; head < a.heads(); head++) {
        int kv = head / (a.heads() / a.kvHeads());
        double[] q = placed(name + ".attention", "q", a, x[t], head, t);
        double[] scores = new double[t + 1];
        for (int s = 0; s <= t; s++) {
          double[] k = placed(name + ".attention", "k", a, x[s], kv, s);
          scores[s] = IntStream.range(0, d).mapToDouble(i -> q[i] * k[i]).sum() / Math.sqrt(d);
        }
        double sum = Arrays.stream(scores).map(Math::exp).sum();
        for (int s = 0; s <= t; s++) {
          double[] v = head(name + ".attention.v", a, x[s], kv);
          for (int i = 0; i < d; i++) {
            joined[head * d + i] += Math.exp(scores[s]) / sum * v[i];
          }
        }
      }
      y[t] = linear(name + ".attention.o", 0, joined, settings.hidden());
    }
    return y;
  }

  private double[] head(String name, AttentionSettings.Grouped a, double[] x, int head) {
    int d = a.headDim();
    double[] w = weights.get(name);
    double[] y = new double[d];
    for (int i = 0; i < d; i++) {
      int row = head * d + i;
      for (int j = 0; j < x.length; j++) {
        y[i] += w[row * x.length + j] * x[j];
      }
      y[i] += a.bias() ? weights.get(name + "_bias")[row] : 0;
    }
    return y;
  }

  private double[] placed(
      String name, String kind, AttentionSettings.Grouped a, double[] x, int head, int position) {
    double[] y = head(name + "." + kind, a, x, head);
    if (a.headNorm()) {
      y = norm(name + "." + kind + "_norm", NormKind.RMS, settings.normEps(), y);
    }
    return a.positions() == Positions.ROPE ? turned(a.rotary(), y, position) : y;
  }

  /** The first half of a row turned together with its second. */
  static double[] turned(Rotary rotary, double[] y, int position) {
    int half = y.length / 2;
    double size = rotary.yarn().map(Rotary.Yarn::size).orElse(1.0);
    double[] turned = new double[y.length];
    for (int j = 0; j < half; j++) {
      double angle = position * speed(rotary, j, half);
      turned[j] = size * (y[j] * Math.cos(angle) - y[half + j] * Math.sin(angle));
      turned[half + j] = size * (y[half + j] * Math.cos(angle) + y[j] * Math.sin(angle));
    }
    return turned;
  }

  private static double speed(Rotary rotary, int pair, int pairs) {
    double fast = 1 / Math.pow(rotary.theta(), (double) pair / pairs);
    if (rotary.yarn().isEmpty()) {
      return fast;
    }
    Rotary.Yarn yarn = rotary.yarn().get();
    double first = pairOf(rotary, yarn, yarn.fast(), pairs);
    double last = pairOf(rotary, yarn, yarn.slow(), pairs);
    first = yarn.whole() ? Math.floor(first) : first;
    last = yarn.whole() ? Math.ceil(last) : last;
    first = Math.max(0, first);
    last = Math.min(2 * pairs - 1, last);
    double slow = pair <= first ? 0 : pair >= last ? 1 : (pair - first) / (last - first);
    return fast - slow * (fast - fast / yarn.factor());
  }

  /** {@code theta^(-j / pairs) trained / 2 pi = turns}, solved for j. */
  private static double pairOf(Rotary rotary, Rotary.Yarn yarn, double turns, int pairs) {
    return pairs * Math.log(yarn.trained() / (2 * Math.PI * turns)) / Math.log(rotary.theta());
  }

  private double[] dense(String name, double[] x) {
    DenseSettings dense = settings.dense();
    return network(name + ".dense.", 0, x, dense.inner(), dense.body(), dense.activation());
  }

  private double[] network(
      String prefix, int expert, double[] z, int inner, ExpertBody body, ExpertActivation act) {
    double[] a = linear(prefix + "w1", expert, z, inner);
    for (int i = 0; i < inner; i++) {
      a[i] = activation(act, a[i]);
    }
    if (body == ExpertBody.GATED) {
      double[] upper = linear(prefix + "w3", expert, z, inner);
      for (int i = 0; i < inner; i++) {
        a[i] *= upper[i];
      }
    }
    return linear(prefix + "w2", expert, a, z.length);
  }

  private static double activation(ExpertActivation kind, double x) {
    return switch (kind) {
      case GELU -> x * 0.5 * (1 + erf(x / Math.sqrt(2)));
      case RELU -> Math.max(x, 0);
      case RELU2 -> Math.max(x, 0) * Math.max(x, 0);
      case SILU -> x / (1 + Math.exp(-x));
    };
  }

  private static double erf(double x) {
    double sum = 0;
    double term = x;
    for (int n = 0; n < 200; n++) {
      sum += term / (2 * n + 1);
      term *= -x * x / (n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }

  private double[] experts(String name, double[] x) {
    MoeSettings moe = settings.experts().orElseThrow();
    MoeStructure shape = moe.structure();
    double[] logits = linear(name + ".gate", 0, x, shape.experts());
    double[] scores = new double[logits.length];
    double sum = Arrays.stream(logits).map(Math::exp).sum();
    for (int i = 0; i < scores.length; i++) {
      scores[i] =
          moe.router().scores() == Scores.SOFTMAX
              ? Math.exp(logits[i]) / sum
              : 1 / (1 + Math.exp(-logits[i]));
    }
    List<Integer> groups = groups(moe, scores);
    int size = scores.length / moe.router().groups().count();
    List<Integer> chosen =
        IntStream.range(0, scores.length)
            .boxed()
            .filter(i -> groups.contains(i / size))
            .sorted(Comparator.comparingDouble(i -> -scores[i]))
            .limit(shape.topK())
            .toList();
    double total = chosen.stream().mapToDouble(i -> scores[i]).sum();
    boolean bigMac = shape instanceof MoeStructure.BigMac;
    double[] z = bigMac ? linear(name + ".descend", 0, x, shape.wireWidth()) : x;
    double[] c = new double[z.length];
    for (int expert : chosen) {
      double[] u =
          network(name + ".experts.*.", expert, z, shape.inner(), shape.body(), moe.activation());
      double p = scores[expert] / (moe.router().normalise() ? total : 1) * moe.router().scaling();
      for (int i = 0; i < c.length; i++) {
        c[i] += p * u[i];
      }
    }
    double[] y = bigMac ? linear(name + ".ascend", 0, c, settings.hidden()) : c;
    int inner = moe.shared().inner();
    if (inner > 0) {
      double[] given = network(name + ".shared.", 0, x, inner, shape.body(), moe.activation());
      double share =
          moe.shared().gated() ? 1 / (1 + Math.exp(-linear(name + ".shared_gate", 0, x, 1)[0])) : 1;
      add(y, Arrays.stream(given).map(v -> share * v).toArray());
    }
    return y;
  }

  /** Numbers of the groups that a token may visit. */
  private static List<Integer> groups(MoeSettings moe, double[] scores) {
    RouterSettings.Groups groups = moe.router().groups();
    int size = scores.length / groups.count();
    double[] rates = new double[groups.count()];
    for (int group = 0; group < rates.length; group++) {
      rates[group] =
          Arrays.stream(scores, group * size, (group + 1) * size)
              .map(v -> -v)
              .sorted()
              .limit(groups.best())
              .sum();
    }
    return IntStream.range(0, rates.length)
        .boxed()
        .sorted(Comparator.comparingDouble(group -> rates[group]))
        .limit(groups.top())
        .toList();
  }

  double[] linear(String name, int expert, double[] in, int out) {
    double[] w = weights.get(name);
    double[] y = new double[out];
    for (int o = 0; o < out; o++) {
      for (int i = 0; i < in.length; i++) {
        y[o] += w[(expert * out + o) * in.length + i] * in[i];
      }
    }
    return y;
  }
}
