package dev.gossamer.video;

/**
 * What a video costs to compute with dense attention, in floating-point operations; a sparse
 * attention spends less on its part. A multiplication and an addition count as two.
 *
 * @param tokens video tokens in each self-attention
 * @param passes runs of the transformer: steps times branches
 * @param passFlops one run of the transformer, attention included
 * @param attentionFlops the part of one run that is query-key and weight-value products of the
 *     self-attentions: what a sparse attention saves on
 * @param textFlops encoding prompt and negative
 * @param decodeFlops latents to frames
 */
public record CostPlan(
    long tokens,
    int passes,
    double passFlops,
    double attentionFlops,
    double textFlops,
    double decodeFlops) {
  /** All of it. */
  public double totalFlops() {
    return textFlops + passes * passFlops + decodeFlops;
  }
}
