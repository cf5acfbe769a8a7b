/**
 * Attention alone, on queries, keys and values captured from the mini model at work: {@link
 * dev.gossamer.bench.attention.AttentionBench} for speed, {@link
 * dev.gossamer.bench.attention.AttentionQuality} for what it costs in exactness.
 *
 * <p>The captured tensors ({@code qkv.safetensors}, 9.4 MB, bf16, {@code [tokens, 64]}) are queries
 * and keys as they enter self-attention, after the norm over all heads and the rotary embedding,
 * and values. They come from real runs: prompt "a cat bounces and a dog spins on the grass", 61
 * frames, 20 steps, guidance 5, conditional pass. Layers, steps and heads count from 0, tokens are
 * ordered time, row, column, and the softmax scale 1/8 is not applied.
 *
 * <table>
 * <caption>The three heads</caption>
 * <tr><th>head</th><th>grid</th><th>tokens</th><th>keys that hold 90 % of a query's weight</th></tr>
 * <tr><td>layer 1, step 3, head 0</td><td>16x16x16 (256x256 pixels)</td><td>4,096</td><td>105 (2.6 %)</td></tr>
 * <tr><td>layer 4, step 10, head 2</td><td>16x16x16</td><td>4,096</td><td>1,636 (40 %)</td></tr>
 * <tr><td>layer 5, step 10, head 1</td><td>16x32x32 (512x512 pixels)</td><td>16,384</td><td>1,332 (8.1 %; median 2.0 %)</td></tr>
 * </table>
 *
 * The model was trained up to 256x256 with 33 frames and 128x128 with 61 frames: both grids lie
 * outside that, the larger one far outside.
 */
package dev.gossamer.bench.attention;
