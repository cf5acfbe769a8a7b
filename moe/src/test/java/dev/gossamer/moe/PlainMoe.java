package dev.gossamer.moe;

import dev.gossamer.moe.router.Routing;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.DoubleUnaryOperator;

/** The layer as a loop over tokens in double precision, to be read beside the paper. */
final class PlainMoe {
  private final MoeSettings settings;
  private final Map<String, double[]> weights = new TreeMap<>();

  PlainMoe(MoeSettings settings, List<Parameter> parameters) {
    this.settings = settings;
    for (Parameter parameter : parameters) {
      String name = parameter.name().substring(parameter.name().indexOf("moe.") + 4);
      weights.put(name, parameter.value().toDoubles());
    }
  }

  double[][] forward(double[][] x, Routing routing, double[][] p) {
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      y[t] = token(x[t], routing, t, p[t]);
    }
    return y;
  }

  private double[] token(double[] x, Routing routing, int t, double[] p) {
    MoeStructure shape = settings.structure();
    boolean bigMac = shape instanceof MoeStructure.BigMac;
    double[] z = bigMac ? linear("descend", 0, x, shape.wireWidth(), "descend_bias") : x;
    double[] c = new double[shape.wireWidth()];
    for (int j = 0; j < shape.topK(); j++) {
      int expert = routing.expert()[t * shape.topK() + j];
      if (expert != Routing.DROPPED) {
        double[] u = expert("experts.*.", expert, z, shape.inner());
        for (int i = 0; i < c.length; i++) {
          c[i] += p[j] * u[i];
        }
      }
    }
    if (settings.latentNorm()) {
      double mean = Arrays.stream(c).map(v -> v * v).average().orElseThrow();
      for (int i = 0; i < c.length; i++) {
        c[i] *= weights.get("latent_norm")[i] / Math.sqrt(mean + 1e-6);
      }
    }
    double[] y = bigMac ? linear("ascend", 0, c, shape.hidden(), "ascend_bias") : c;
    if (settings.shared().inner() > 0) {
      double[] s = expert("shared.", 0, x, settings.shared().inner());
      double share =
          settings.shared().gated()
              ? 1 / (1 + Math.exp(-linear("shared_gate", 0, x, 1, "")[0]))
              : 1;
      for (int i = 0; i < y.length; i++) {
        y[i] += share * s[i];
      }
    }
    return y;
  }

  private double[] expert(String prefix, int expert, double[] z, int inner) {
    double[] a = linear(prefix + "w1", expert, z, inner, prefix + "b1");
    DoubleUnaryOperator act = activation();
    for (int i = 0; i < inner; i++) {
      a[i] = act.applyAsDouble(a[i]);
    }
    if (weights.containsKey(prefix + "w3")) {
      double[] upper = linear(prefix + "w3", expert, z, inner, "");
      for (int i = 0; i < inner; i++) {
        a[i] *= upper[i];
      }
    }
    return linear(prefix + "w2", expert, a, z.length, prefix + "b2");
  }

  private DoubleUnaryOperator activation() {
    return switch (settings.activation()) {
      case GELU -> x -> x * 0.5 * (1 + erf(x / Math.sqrt(2)));
      case RELU -> x -> Math.max(x, 0);
      case RELU2 -> x -> Math.max(x, 0) * Math.max(x, 0);
      case SILU -> x -> x / (1 + Math.exp(-x));
    };
  }

  /** Taylor's series, exact enough for the small numbers of tests. */
  private static double erf(double x) {
    double sum = 0;
    double term = x;
    for (int n = 0; n < 200; n++) {
      sum += term / (2 * n + 1);
      term *= -x * x / (n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }

  private double[] linear(String name, int expert, double[] in, int out, String bias) {
    double[] w = weights.get(name);
    double[] y = new double[out];
    for (int o = 0; o < out; o++) {
      for (int i = 0; i < in.length; i++) {
        y[o] += w[(expert * out + o) * in.length + i] * in[i];
      }
      y[o] += weights.containsKey(bias) ? weights.get(bias)[expert * out + o] : 0;
    }
    return y;
  }
}
