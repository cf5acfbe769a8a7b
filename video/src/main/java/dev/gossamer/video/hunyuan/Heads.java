package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.RmsNorm;
import dev.gossamer.tensor.weights.Parameters;

/** The projections to heads by the names of their weights; each head is normalised by itself. */
final class Heads {
  private Heads() {}

  /** The video's in a block of two streams, and those of all tokens in a block of one. */
  static HeadProjections of(Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return of(parameters, config, prefix + ".to_%s", prefix + ".norm_%s");
  }

  /** The text's in a block of two streams. */
  static HeadProjections ofText(
      Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return of(parameters, config, prefix + ".add_%s_proj", prefix + ".norm_added_%s");
  }

  private static HeadProjections of(
      Parameters parameters, HunyuanTransformerConfig config, String linear, String norm) {
    int width = config.width();
    double eps = HunyuanTransformerConfig.EPS;
    return new HeadProjections(
        config.heads(),
        Linear.of(parameters, linear.formatted("q"), width, width),
        Linear.of(parameters, linear.formatted("k"), width, width),
        Linear.of(parameters, linear.formatted("v"), width, width),
        RmsNorm.of(parameters, norm.formatted("q"), config.headDim(), eps),
        RmsNorm.of(parameters, norm.formatted("k"), config.headDim(), eps));
  }
}
