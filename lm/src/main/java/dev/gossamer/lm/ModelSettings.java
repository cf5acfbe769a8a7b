package dev.gossamer.lm;

import dev.gossamer.moe.MoeSettings;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * A decoder-only transformer: {@code a = x + Attention(Norm(x)); y = a + FeedForward(Norm(a))} for
 * each layer, a norm and a projection to the vocabulary at the end.
 *
 * @param vocabulary tokens that there are
 * @param hidden width of the residual stream
 * @param layers each of attention and a feed-forward network
 * @param context longest sequence
 * @param attention of every layer
 * @param norm before every branch and at the end
 * @param normEps added to the mean square or variance
 * @param tied whether the projection to the vocabulary is the embedding
 * @param dense feed-forward network of layers without experts
 * @param experts of the other layers; empty for a dense model
 * @param where which layers have experts, if there are any
 */
public record ModelSettings(
    int vocabulary,
    int hidden,
    int layers,
    int context,
    AttentionSettings attention,
    NormKind norm,
    double normEps,
    boolean tied,
    DenseSettings dense,
    Optional<MoeSettings> experts,
    ExpertLayers where) {
  /**
   * @throws UsageException if the numbers do not fit
   */
  public ModelSettings {
    require(vocabulary >= 2, "a vocabulary of " + vocabulary, "Use 2 or more");
    require(hidden >= 1, "hidden width " + hidden, "Use 1 or more");
    require(layers >= 1, layers + " layers", "Use 1 or more");
    require(context >= 1, "a context of " + context + " tokens", "Use 1 or more");
    require(normEps > 0, "a norm with epsilon " + normEps, "Use a small number above 0");
    experts.ifPresent(
        moe ->
            require(
                moe.structure().hidden() == hidden,
                "experts for a stream of " + moe.structure().hidden() + " in one of " + hidden,
                "Use one width"));
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No language model has " + found, remedy);
    }
  }

  /** Whether a layer has experts. */
  public boolean hasExperts(int layer) {
    return experts.isPresent() && where.has(layer);
  }

  /** Layers with experts. */
  public int expertLayers() {
    int count = 0;
    for (int layer = 0; layer < layers; layer++) {
      count += hasExperts(layer) ? 1 : 0;
    }
    return count;
  }

  /** The same with other experts. */
  public ModelSettings withExperts(UnaryOperator<MoeSettings> change) {
    return new ModelSettings(
        vocabulary,
        hidden,
        layers,
        context,
        attention,
        norm,
        normEps,
        tied,
        dense,
        experts.map(change),
        where);
  }

  /**
   * The same without experts.
   *
   * @param inner width of every layer's feed-forward network
   */
  public ModelSettings asDense(int inner) {
    return new ModelSettings(
        vocabulary,
        hidden,
        layers,
        context,
        attention,
        norm,
        normEps,
        tied,
        new DenseSettings(inner, dense.body(), dense.activation()),
        Optional.empty(),
        where);
  }
}
