package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * A run of tokens of a residual stream: what layers add to it, each part weighted by a gate, and
 * the normalised rows that the next layer takes from it.
 *
 * @param x {@code [batch, rows, width]} FLOAT32, changed in place
 */
public record Residual(Tensor x) {
  /**
   * x += y gate.
   *
   * @param y {@code [batch, rows, width]}, any floating type
   * @param gate {@code [1, width]} FLOAT32
   */
  public void add(Tensor y, Tensor gate) {
    Optional<RowKernels> kernels = kernels(y);
    if (kernels.isPresent()) {
      kernels.get().add(x, y, gate);
    } else {
      x.addMulInPlace(y, gate);
    }
  }

  /** x += y. */
  public void add(Tensor y) {
    x.addInPlace(y);
  }

  /**
   * {@link #add(Tensor, Tensor)}, and the norm of the sum.
   *
   * @return {@code [batch, rows, width]} in the given type
   */
  public Tensor addThenNorm(Tensor y, Tensor gate, LayerNorm norm, DType dtype) {
    return addThenNorm(y, Optional.of(gate), norm, dtype);
  }

  /** As {@link #addThenNorm(Tensor, Tensor, LayerNorm, DType)}, without a gate. */
  public Tensor addThenNorm(Tensor y, LayerNorm norm, DType dtype) {
    return addThenNorm(y, Optional.empty(), norm, dtype);
  }

  private Tensor addThenNorm(Tensor y, Optional<Tensor> gate, LayerNorm norm, DType dtype) {
    Optional<RowKernels> kernels = y.dtype() == dtype ? kernels(y) : Optional.empty();
    if (kernels.isPresent()) {
      return kernels.get().addThenNorm(x, y, gate, norm);
    }
    if (gate.isPresent()) {
      add(y, gate.get());
    } else {
      add(y);
    }
    return norm.apply(x, dtype);
  }

  private Optional<RowKernels> kernels(Tensor y) {
    return RowKernels.fits(y) ? RowKernels.ofResidual(x, y.dtype()) : Optional.empty();
  }
}
