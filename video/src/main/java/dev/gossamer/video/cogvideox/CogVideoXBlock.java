package dev.gossamer.video.cogvideox;

import dev.gossamer.attention.Attention;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Activation;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.FeedForward;
import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.nn.Residual;
import dev.gossamer.tensor.nn.RowRuns;
import dev.gossamer.tensor.weights.Parameters;
import java.util.Optional;

/**
 * One layer: attention over text and video together, then the feed-forward part, with weights that
 * both share but for the vectors that shift, scale and gate them. The residual stream is float32 in
 * every model type.
 */
final class CogVideoXBlock {
  private static final double HEAD_EPS = 1e-6;

  private final Modulation attentionNorm;
  private final HeadProjections projections;
  private final Linear toOut;
  private final Modulation feedForwardNorm;
  private final FeedForward feedForward;

  /** A normalisation and what makes its vectors of the timestep: shift, scale, gate, twice. */
  private record Modulation(Linear vectors, LayerNorm norm) {
    static Modulation of(Parameters parameters, String prefix, CogVideoXTransformerConfig config) {
      return new Modulation(
          Linear.of(parameters, prefix + ".linear", config.timeDim(), 6L * config.width()),
          LayerNorm.of(parameters, prefix + ".norm", config.width(), config.eps()));
    }

    /**
     * @param time {@code [1, timeDim]}, activated
     * @param first vector: 0 for video, 3 for text
     */
    Steered steer(Tensor time, int first) {
      long width = norm.weight().size(0);
      Tensor all = vectors.apply(time).to(DType.FLOAT32);
      Tensor shift = all.narrow(1, first * width, width);
      Tensor scale = all.narrow(1, (first + 1) * width, width);
      Tensor gate = all.narrow(1, (first + 2) * width, width);
      return new Steered(norm.modulated(shift, scale), gate);
    }
  }

  /** A normalisation with its shift and scale, and the gate behind what it feeds. */
  private record Steered(LayerNorm norm, Tensor gate) {}

  /**
   * The rows of text or video in the sequence.
   *
   * @param start first token
   * @param tokens how many
   * @param vectors where its modulation begins among the six vectors
   * @param rotation {@code [tokens, headDim]}, where queries and keys are turned
   */
  record Part(long start, long tokens, int vectors, Optional<Tensor> rotation) {
    static Part text(long tokens) {
      return new Part(0, tokens, 3, Optional.empty());
    }

    static Part video(long start, long tokens, Optional<Tensor> rotation) {
      return new Part(start, tokens, 0, rotation);
    }
  }

  CogVideoXBlock(Parameters parameters, String prefix, CogVideoXTransformerConfig config) {
    int width = config.width();
    this.attentionNorm = Modulation.of(parameters, prefix + ".norm1", config);
    this.projections =
        new HeadProjections(
            config.heads(),
            Linear.of(parameters, prefix + ".attn1.to_q", width, width),
            Linear.of(parameters, prefix + ".attn1.to_k", width, width),
            Linear.of(parameters, prefix + ".attn1.to_v", width, width),
            LayerNorm.of(parameters, prefix + ".attn1.norm_q", config.headDim(), HEAD_EPS),
            LayerNorm.of(parameters, prefix + ".attn1.norm_k", config.headDim(), HEAD_EPS));
    this.toOut = Linear.of(parameters, prefix + ".attn1.to_out.0", width, width);
    this.feedForwardNorm = Modulation.of(parameters, prefix + ".norm2", config);
    this.feedForward =
        FeedForward.of(parameters, prefix + ".ff", width, config.inner(), Activation.GELU_TANH);
  }

  /**
   * @param x residual stream {@code [1, tokens, width]} FLOAT32, changed in place
   * @param time {@code [1, timeDim]}, activated, in the model's type
   * @param parts that together are all tokens
   */
  void apply(Tensor x, Tensor time, Part[] parts, Attention attention, int step, RowRuns runs) {
    try (Scope scope = Scope.open()) {
      AttentionHeads projected = projections.room(x);
      Tensor[] gates = new Tensor[parts.length];
      for (int i = 0; i < parts.length; i++) {
        Steered steered = attentionNorm.steer(time, parts[i].vectors());
        gates[i] = steered.gate();
        project(x, parts[i], steered.norm(), projected, runs);
      }
      Tensor attended =
          attention.attend(projected.query(), projected.key(), projected.value(), step);
      for (int i = 0; i < parts.length; i++) {
        finish(x, parts[i], gates[i], attended, time, runs);
      }
    }
  }

  private void project(
      Tensor x, Part part, LayerNorm norm, AttentionHeads projected, RowRuns runs) {
    runs.forEach(
        part.tokens(),
        (offset, rows) -> {
          long start = part.start() + offset;
          projections.project(
              norm.apply(x.narrow(1, start, rows), projections.dtype()),
              part.rotation().map(table -> table.narrow(0, offset, rows)),
              projected,
              start);
        });
  }

  private void finish(
      Tensor x, Part part, Tensor gate, Tensor attended, Tensor time, RowRuns runs) {
    Steered steered = feedForwardNorm.steer(time, part.vectors());
    runs.forEach(
        part.tokens(),
        (offset, rows) -> {
          long start = part.start() + offset;
          Residual run = new Residual(x.narrow(1, start, rows));
          Tensor fed =
              run.addThenNorm(
                  toOut.apply(AttentionHeads.join(attended, start, rows)),
                  gate,
                  steered.norm(),
                  projections.dtype());
          run.add(feedForward.apply(fed), steered.gate());
        });
  }
}
