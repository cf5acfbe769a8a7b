package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.Residual;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * What a {@link DualBlock} does to one kind of token, video or text, before and after their joint
 * attention.
 *
 * @param modulation to six vectors: shift, scale and gate of the attention, then of the
 *     feed-forward
 */
record TokenStream(
    Linear modulation, HeadProjections projections, Linear output, FeedForward feedForward) {
  private static final int VECTORS = 6;

  static TokenStream ofVideo(
      Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return new TokenStream(
        modulation(parameters, prefix + ".norm1", config),
        Heads.of(parameters, prefix + ".attn", config),
        Linear.of(parameters, prefix + ".attn.to_out.0", config.width(), config.width()),
        feedForward(parameters, prefix + ".ff", config));
  }

  static TokenStream ofText(Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return new TokenStream(
        modulation(parameters, prefix + ".norm1_context", config),
        Heads.ofText(parameters, prefix + ".attn", config),
        Linear.of(parameters, prefix + ".attn.to_add_out", config.width(), config.width()),
        feedForward(parameters, prefix + ".ff_context", config));
  }

  private static Linear modulation(
      Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    int width = config.width();
    return Linear.of(parameters, prefix + ".linear", width, (long) VECTORS * width);
  }

  private static FeedForward feedForward(
      Parameters parameters, String prefix, HunyuanTransformerConfig config) {
    return FeedForward.of(parameters, prefix, config.width(), config.inner(), Activation.GELU_TANH);
  }

  Modulation modulate(Tensor signal) {
    return Modulation.of(modulation.apply(signal), signal.size(1));
  }

  /** Fills the heads of these tokens: those of x from {@code first} on. */
  void project(
      Tensor x, long first, long count, Modulation vectors, Pass pass, AttentionHeads room) {
    LayerNorm norm = vectors.norm(0, 1);
    pass.runs()
        .forEach(
            count,
            (start, rows) ->
                projections.project(
                    norm.apply(x.narrow(1, first + start, rows), projections.dtype()),
                    Optional.of(pass.rotation().narrow(0, first + start, rows)),
                    room,
                    first + start));
  }

  /** Adds to these tokens what the attention and the feed-forward say. */
  void finish(Tensor x, long first, long count, Modulation vectors, Pass pass, Tensor attended) {
    LayerNorm norm = vectors.norm(3, 4);
    pass.runs()
        .forEach(
            count,
            (start, rows) -> {
              Residual run = new Residual(x.narrow(1, first + start, rows));
              Tensor mixed = output.apply(AttentionHeads.join(attended, first + start, rows));
              Tensor fed = run.addThenNorm(mixed, vectors.at(2), norm, projections.dtype());
              run.add(feedForward.apply(fed), vectors.at(5));
            });
  }
}
