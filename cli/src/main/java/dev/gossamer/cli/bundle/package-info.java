/**
 * Gossamer as a folder that runs without Java, Maven and network, on the libtorch of an installed
 * PyTorch. Start at {@link dev.gossamer.cli.bundle.Bundle}.
 */
package dev.gossamer.cli.bundle;
