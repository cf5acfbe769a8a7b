package dev.gossamer.video.hunyuan;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.Linear;
import dev.gossamer.tensor.weights.Parameters;
import java.util.ArrayList;
import java.util.List;

/** An attention of one head in which a pixel sees its own frame and those before. */
record FrameCausalAttention(GroupNorm norm, Linear query, Linear key, Linear value, Linear output)
    implements VideoLayer {
  static FrameCausalAttention of(Parameters parameters, String prefix, int groups, int channels) {
    return new FrameCausalAttention(
        GroupNorm.of(parameters, prefix + ".group_norm", groups, channels),
        Linear.of(parameters, prefix + ".to_q", channels, channels),
        Linear.of(parameters, prefix + ".to_k", channels, channels),
        Linear.of(parameters, prefix + ".to_v", channels, channels),
        Linear.of(parameters, prefix + ".to_out.0", channels, channels));
  }

  /** Frame by frame: the queries of one, the keys up to its end, so that nothing is masked. */
  @Override
  public Tensor apply(Tensor x) {
    try (Scope scope = Scope.open()) {
      long area = x.size(3) * x.size(4);
      Tensor rows = norm.apply(x).flatten(2, 4).transpose(1, 2);
      Tensor queries = query.apply(rows).unsqueeze(1);
      Tensor keys = key.apply(rows).unsqueeze(1);
      Tensor values = value.apply(rows).unsqueeze(1);
      List<Tensor> frames = new ArrayList<>();
      for (long frame = 0; frame < x.size(2); frame++) {
        long seen = (frame + 1) * area;
        frames.add(
            DenseAttention.attend(
                queries.narrow(2, frame * area, area),
                keys.narrow(2, 0, seen),
                values.narrow(2, 0, seen)));
      }
      Tensor mixed = output.apply(Tensor.cat(2, frames).squeeze(1));
      return scope.keep(mixed.transpose(1, 2).reshape(x.shape()).add(x));
    }
  }
}
