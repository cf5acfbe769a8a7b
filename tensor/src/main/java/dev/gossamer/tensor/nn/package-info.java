/**
 * The pieces that transformers share, as small immutable objects around their weights: {@link
 * dev.gossamer.tensor.nn.Linear}, {@link dev.gossamer.tensor.nn.FeedForward}, {@link
 * dev.gossamer.tensor.nn.LayerNorm}, {@link dev.gossamer.tensor.nn.RmsNorm}, {@link
 * dev.gossamer.tensor.nn.RotaryEmbedding}, {@link dev.gossamer.tensor.nn.TimestepEmbedding}; and
 * the places where several of them meet: {@link dev.gossamer.tensor.nn.HeadProjections}, {@link
 * dev.gossamer.tensor.nn.Residual}. Each layer is built from {@link
 * dev.gossamer.tensor.weights.Parameters} by the name prefix of its tensors; none owns them.
 * Results belong to the current {@link dev.gossamer.tensor.Scope}.
 */
package dev.gossamer.tensor.nn;
