package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.Attention;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.weights.Parameters;

/** Video and text, each with weights of its own, look at each other in one attention. */
record DualBlock(TokenStream video, TokenStream text) implements Block {
  static DualBlock of(Parameters parameters, int index, HunyuanTransformerConfig config) {
    String prefix = "transformer_blocks." + index;
    return new DualBlock(
        TokenStream.ofVideo(parameters, prefix, config),
        TokenStream.ofText(parameters, prefix, config));
  }

  @Override
  public void apply(Tensor x, Pass pass, Attention attention) {
    try (Scope scope = Scope.open()) {
      long videos = pass.videoTokens();
      long texts = x.size(1) - videos;
      Modulation videoVectors = video.modulate(pass.signal());
      Modulation textVectors = text.modulate(pass.signal());
      AttentionHeads heads = video.projections().room(x);
      video.project(x, 0, videos, videoVectors, pass, heads);
      text.project(x, videos, texts, textVectors, pass, heads);
      Tensor attended = attention.attend(heads.query(), heads.key(), heads.value(), pass.step());
      video.finish(x, 0, videos, videoVectors, pass, attended);
      text.finish(x, videos, texts, textVectors, pass, attended);
    }
  }
}
