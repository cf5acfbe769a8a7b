/** What the families' autoencoders share: {@link dev.gossamer.video.autoencoder.Tiling}. */
package dev.gossamer.video.autoencoder;
