package dev.gossamer.lm;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Cosines and sines of rotary positions: element j of the first half of a part and of its second
 * turn together (half-split, as LLaMA's and Mixtral's checkpoints have it). Angles are calculated
 * in float64.
 */
final class RotaryTable {
  private final Tensor cosine; // [context, width / 2]
  private final Tensor sine;

  RotaryTable(Rotary rotary, int width, int context, FreshWeights fresh) {
    double[] speeds = rotary.speeds(width);
    double[] cosines = new double[context * speeds.length];
    double[] sines = new double[cosines.length];
    for (int position = 0; position < context; position++) {
      for (int j = 0; j < speeds.length; j++) {
        double angle = position * speeds[j];
        cosines[position * speeds.length + j] = rotary.size() * Math.cos(angle);
        sines[position * speeds.length + j] = rotary.size() * Math.sin(angle);
      }
    }
    try (Scope scope = Scope.open()) {
      this.cosine = kept(fresh, Tensor.of(cosines, context, width / 2));
      this.sine = kept(fresh, Tensor.of(sines, context, width / 2));
    }
  }

  private static Tensor kept(FreshWeights fresh, Tensor table) {
    return fresh.owner().adopt(table.to(FreshWeights.exact(fresh.dtype())).to(fresh.device()));
  }

  /** The rows of some positions. */
  Turn at(Tensor positions) {
    return new Turn(
        cosine.indexSelect(0, positions).unsqueeze(1), sine.indexSelect(0, positions).unsqueeze(1));
  }

  /** {@code [rows, 1, width / 2]} each. */
  record Turn(Tensor cosine, Tensor sine) {
    /**
     * @param heads {@code [rows, heads, width]}
     */
    Tensor of(Tensor heads) {
      return turned(heads, sine);
    }

    /** The opposite turn, which is the way back. */
    Tensor back(Tensor heads) {
      return turned(heads, sine.neg());
    }

    private Tensor turned(Tensor heads, Tensor sines) {
      long half = heads.size(2) / 2;
      Tensor first = heads.narrow(2, 0, half);
      Tensor second = heads.narrow(2, half, half);
      return Tensor.cat(
          2, first.mul(cosine).sub(second.mul(sines)), second.mul(cosine).add(first.mul(sines)));
    }
  }
}
