package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Optional;

/**
 * From rows to the heads of an attention: projections to queries, keys and values, queries and keys
 * normalised and turned by rotary positions.
 *
 * @param queryNorm over the whole width or over each head, as its weights say; likewise keyNorm
 */
public record HeadProjections(
    int heads, Linear toQuery, Linear toKey, Linear toValue, Norm queryNorm, Norm keyNorm) {
  /** Room for the heads of all tokens of x {@code [batch, tokens, width]}. */
  public AttentionHeads room(Tensor x) {
    return AttentionHeads.room(dtype(), x.device(), x.size(0), heads, x.size(1), x.size(2) / heads);
  }

  /** The type of the rows that are projected. */
  public DType dtype() {
    return toQuery.dtype();
  }

  /**
   * Fills the heads of a run of tokens.
   *
   * @param rows the run's normalised rows, {@code [batch, rows, width]}
   * @param table the run's rotation, {@code [rows, headDim]} FLOAT32; without one nothing turns
   * @param to where to write
   * @param start first token of the run
   */
  public void project(Tensor rows, Optional<Tensor> table, AttentionHeads to, long start) {
    Tensor input = Precision.of(rows, dtype());
    AttentionHeads.write(toQuery.apply(input), Optional.of(queryNorm), table, to.query(), start);
    AttentionHeads.write(toKey.apply(input), Optional.of(keyNorm), table, to.key(), start);
    AttentionHeads.write(
        toValue.apply(input), Optional.empty(), Optional.empty(), to.value(), start);
  }
}
