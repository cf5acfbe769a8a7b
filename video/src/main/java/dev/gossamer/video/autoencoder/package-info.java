/**
 * What the autoencoders of video models share: causal convolutions that remember the chunk before,
 * stacks of them, changes of size, rows divided among threads, tiles that are blended, and the
 * passes that send a video through chunk by chunk. What differs (normalisations, attention, the
 * order of layers) is in the families' packages. Reading order: {@link
 * dev.gossamer.video.autoencoder.CausalStack}, {@link dev.gossamer.video.autoencoder.CausalConv3d},
 * {@link dev.gossamer.video.autoencoder.DecodePass}.
 */
package dev.gossamer.video.autoencoder;
