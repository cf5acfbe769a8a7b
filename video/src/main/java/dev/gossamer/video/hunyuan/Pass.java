package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.RowRuns;

/**
 * What all layers share in one pass of the transformer.
 *
 * @param signal activated embedding of timestep, guidance and prompt, {@code [1, width]}
 * @param rotation {@code [tokens, headDim]} FLOAT32; text does not turn
 * @param videoTokens tokens of the video, which come first
 * @param step denoising step, from 0
 * @param runs how the tokens are cut into runs
 */
record Pass(Tensor signal, Tensor rotation, int videoTokens, int step, RowRuns runs) {}
