/** Weights on disk: safetensors files, folders of checkpoints, their configuration. */
package dev.gossamer.tensor.weights;
