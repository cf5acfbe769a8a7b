package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.Attention;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.Residual;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * Video and text with the same weights; attention and feed-forward look at the same normalised rows
 * and end in one projection.
 *
 * @param modulation to three vectors: shift, scale, gate
 * @param up to the feed-forward's inner width
 * @param output from attention and feed-forward side by side, {@code [width, width + inner]}
 */
record SingleBlock(Linear modulation, HeadProjections projections, Linear up, Linear output)
    implements Block {
  private static final int VECTORS = 3;

  static SingleBlock of(Parameters parameters, int index, HunyuanTransformerConfig config) {
    String prefix = "single_transformer_blocks." + index;
    int width = config.width();
    return new SingleBlock(
        Linear.of(parameters, prefix + ".norm.linear", width, (long) VECTORS * width),
        Heads.of(parameters, prefix + ".attn", config),
        Linear.of(parameters, prefix + ".proj_mlp", width, config.inner()),
        Linear.of(parameters, prefix + ".proj_out", (long) width + config.inner(), width));
  }

  @Override
  public void apply(Tensor x, Pass pass, Attention attention) {
    try (Scope scope = Scope.open()) {
      Modulation vectors = Modulation.of(modulation.apply(pass.signal()), x.size(2));
      LayerNorm norm = vectors.norm(0, 1);
      AttentionHeads heads = projections.room(x);
      pass.runs()
          .forEach(
              x.size(1),
              (start, rows) ->
                  projections.project(
                      norm.apply(x.narrow(1, start, rows), projections.dtype()),
                      Optional.of(pass.rotation().narrow(0, start, rows)),
                      heads,
                      start));
      Tensor attended = attention.attend(heads.query(), heads.key(), heads.value(), pass.step());
      pass.runs()
          .forEach(
              x.size(1),
              (start, rows) -> {
                Tensor run = x.narrow(1, start, rows);
                Tensor inner = up.apply(norm.apply(run, projections.dtype()), Activation.GELU_TANH);
                Tensor both = Tensor.cat(2, AttentionHeads.join(attended, start, rows), inner);
                new Residual(run).add(output.apply(both), vectors.at(2));
              });
    }
  }
}
