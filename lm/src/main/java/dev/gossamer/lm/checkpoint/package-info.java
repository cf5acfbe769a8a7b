/**
 * Training on disk: a checkpoint is a folder of safetensors files whose tensors have global names,
 * and a manifest with their checksums ({@link dev.gossamer.lm.checkpoint.Checkpoint}); a run keeps
 * some of them ({@link dev.gossamer.lm.checkpoint.CheckpointFolder}).
 */
package dev.gossamer.lm.checkpoint;
