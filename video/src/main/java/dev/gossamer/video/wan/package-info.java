/**
 * Wan 2.1 text-to-video. {@link dev.gossamer.video.wan.WanTransformer} is its diffusion
 * transformer: read {@link dev.gossamer.video.wan.WanTransformer#predict} first, it is the whole
 * pass; then {@code WanBlock}, one layer; then {@code WanSelfAttention} and {@code
 * WanCrossAttention}. Tensor names are those of diffusers' WanTransformer3DModel.
 */
package dev.gossamer.video.wan;
