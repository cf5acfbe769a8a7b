package dev.gossamer.moe.parallel;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * A part of a rank's tokens on its way through the experts, and the gradients on theirs. Each way
 * has four steps: rows depart; they arrive where their experts are; results are given back; they
 * are combined at home. Between departing and arriving, and between giving back and combining, rows
 * are under way and a rank can compute.
 *
 * <p>Every rank takes the same steps in the same order.
 */
public sealed interface TokenDispatch permits FlatDispatch, NodeDispatch {
  /**
   * Sends tokens to their experts.
   *
   * @param tokens {@code [tokens, width]}, kept until the way back
   */
  void depart(Tensor tokens);

  /** The rows that came for this rank's experts, expert by expert. */
  RowView arrive();

  /** Bounds of the arrived rows by expert and, within, by the rank that sent them. */
  ExpertRows expertRows();

  /** Where experts write their results, in the order of the arrived rows; each way a new one. */
  RowView room();

  /** Sends what experts wrote back to where it came from. */
  void giveBack(RowView results);

  /**
   * The weighted sum of what each token's experts gave.
   *
   * @return {@code [tokens, width]}; zero for a token whose slots were all dropped
   */
  Tensor combined();

  /**
   * Sends the gradient of {@link #combined} to the experts.
   *
   * @param ofCombined {@code [tokens, width]}
   */
  void departBack(Tensor ofCombined);

  /** The gradients of the results of this rank's experts, in the order of the arrived rows. */
  RowView arriveBack();

  /** The gradients that came home, after {@link #giveBack}. */
  Gradients gradients();

  /**
   * @param ofTokens {@code [tokens, width]}
   * @param ofWeights {@code [tokens, topK]}
   */
  record Gradients(Tensor ofTokens, Tensor ofWeights) {}

  /** Lets what the way back needs outlive a scope; called when the way out is done. */
  void keep(Scope scope);
}
