package dev.gossamer.lm;

import java.util.Arrays;

/** Latent attention as loops over tokens: every key and every value spelt out. */
record PlainLatentAttention(PlainModel model, ModelSettings settings) {
  /** {@code [tokens][hidden]}. */
  double[][] of(String name, double[][] x) {
    AttentionSettings.Latent a = (AttentionSettings.Latent) settings.attention();
    double[][][] q = new double[x.length][][];
    double[][][] k = new double[x.length][][];
    double[][][] v = new double[x.length][][];
    for (int t = 0; t < x.length; t++) {
      q[t] = queries(name, a, x[t], t);
      double[] down = model.linear(name + ".kv_down", 0, x[t], a.rank() + a.rotaryDim());
      double[] c = rms(name + ".kv_norm", Arrays.copyOf(down, a.rank()));
      double[] shared =
          PlainModel.turned(a.rotary(), Arrays.copyOfRange(down, a.rank(), down.length), t);
      int both = a.plainDim() + a.valueDim();
      double[] up = model.linear(name + ".kv_up", 0, c, a.heads() * both);
      k[t] = new double[a.heads()][];
      v[t] = new double[a.heads()][];
      for (int head = 0; head < a.heads(); head++) {
        double[] plain = Arrays.copyOfRange(up, head * both, head * both + a.plainDim());
        k[t][head] = joined(plain, shared);
        v[t][head] = Arrays.copyOfRange(up, head * both + a.plainDim(), (head + 1) * both);
      }
    }
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      double[] all = new double[0];
      for (int head = 0; head < a.heads(); head++) {
        all = joined(all, attended(a, q[t][head], k, v, head, t));
      }
      y[t] = model.linear(name + ".o", 0, all, settings.hidden());
    }
    return y;
  }

  private double[][] queries(String name, AttentionSettings.Latent a, double[] x, int t) {
    int width = a.plainDim() + a.rotaryDim();
    double[] all =
        a.queryRank() == 0
            ? model.linear(name + ".q", 0, x, a.heads() * width)
            : model.linear(
                name + ".q_up",
                0,
                rms(name + ".q_norm", model.linear(name + ".q_down", 0, x, a.queryRank())),
                a.heads() * width);
    double[][] q = new double[a.heads()][];
    for (int head = 0; head < a.heads(); head++) {
      int from = head * width;
      double[] plain = Arrays.copyOfRange(all, from, from + a.plainDim());
      double[] rotary = Arrays.copyOfRange(all, from + a.plainDim(), from + width);
      q[head] = joined(plain, PlainModel.turned(a.rotary(), rotary, t));
    }
    return q;
  }

  private static double[] attended(
      AttentionSettings.Latent a, double[] q, double[][][] k, double[][][] v, int head, int t) {
    double[] y = new double[a.valueDim()];
    double sum = 0;
    for (int s = 0; s <= t; s++) {
      double score = 0;
      for (int i = 0; i < q.length; i++) {
        score += q[i] * k[s][head][i];
      }
      double share = Math.exp(a.scoreScale() * score / Math.sqrt(q.length));
      sum += share;
      for (int i = 0; i < y.length; i++) {
        y[i] += share * v[s][head][i];
      }
    }
    double all = sum;
    return Arrays.stream(y).map(value -> value / all).toArray();
  }

  private double[] rms(String name, double[] row) {
    return model.norm(name, NormKind.RMS, 1e-6, row);
  }

  private static double[] joined(double[] first, double[] second) {
    double[] all = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, all, first.length, second.length);
    return all;
  }
}
