/**
 * CogVideoX and CogVideoX 1.5 text-to-video: {@link dev.gossamer.video.cogvideox.CogVideoXFamily}
 * wires a checkpoint, {@link dev.gossamer.video.cogvideox.CogVideoXTransformer} denoises, {@link
 * dev.gossamer.video.cogvideox.CogVideoXAutoencoder} decodes. What is shared with other families is
 * in {@code tensor.nn}, {@code video.autoencoder}, {@code video.text} and {@code video.schedulers}.
 */
package dev.gossamer.video.cogvideox;
