package dev.gossamer.video.wan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.weights.Parameters;

/**
 * Scales each pixel's channel vector to unit length, times sqrt(C) gamma: {@code WanRMS_norm}, x /
 * max(||x||, 1e-12) sqrt(C) gamma. It has no bias and no epsilon, and is computed in float32
 * whatever the type of the activations.
 */
final class ChannelNorm {
  private static final double SMALLEST_NORM = 1e-12;
  // Elements per step: on a processor, several float32 copies of a block fit into a core's cache.
  private static final long CPU_BLOCK = 1 << 16;
  private static final long CUDA_BLOCK = 1 << 26;

  private final Tensor scale; // [C] float32
  private final Threads threads;

  private ChannelNorm(Tensor scale, Threads threads) {
    this.scale = scale;
    this.threads = threads;
  }

  /** For frames: {@code name.gamma} [C, 1, 1, 1]. */
  static ChannelNorm ofFrames(Parameters parameters, String name, long channels, Threads threads) {
    return new ChannelNorm(
        parameters.derive(ChannelNorm::scale, name + ".gamma", channels, 1, 1, 1), threads);
  }

  /** For pictures: {@code name.gamma} [C, 1, 1]. */
  static ChannelNorm ofPictures(
      Parameters parameters, String name, long channels, Threads threads) {
    return new ChannelNorm(
        parameters.derive(ChannelNorm::scale, name + ".gamma", channels, 1, 1), threads);
  }

  private static Tensor scale(Tensor gamma) {
    return gamma.to(DType.FLOAT32).reshape(-1).mul(Math.sqrt(gamma.size(0)));
  }

  /** Normalises vectors [.., C]; float32 in the current scope. */
  Tensor apply(Tensor rows) {
    try (Scope scope = Scope.open()) {
      Tensor exact = rows.to(DType.FLOAT32);
      Tensor length = exact.norm(-1, true).clampInPlace(SMALLEST_NORM, Float.MAX_VALUE);
      return scope.keep(exact.div(length).mulInPlace(scale));
    }
  }

  /**
   * out = silu(norm(x)), block by block so that intermediate values never leave the cache.
   *
   * @param out [B, C, t, H, W] of any floating type, channels innermost
   * @param x [B, C, t, H, W]
   */
  void siluInto(Tensor out, Tensor x) {
    for (long b = 0; b < x.size(0); b++) {
      try (Scope scope = Scope.open()) {
        siluRows(rows(out.select(0, b)), rows(x.select(0, b)));
      }
    }
  }

  /** [C, t, H, W] as one row of channels per pixel; a view, as channels are innermost. */
  private static Tensor rows(Tensor frames) {
    return frames.permute(1, 2, 3, 0).reshape(-1, frames.size(0));
  }

  private void siluRows(Tensor out, Tensor in) {
    boolean cpu = in.device().isCpu();
    long total = in.size(0);
    long atOnce = Math.max(1, (cpu ? CPU_BLOCK : CUDA_BLOCK) / in.size(1));
    int blocks = Math.toIntExact((total + atOnce - 1) / atOnce);
    if (cpu) {
      threads.forEach(blocks, i -> siluBlock(out, in, i * atOnce, atOnce));
    } else {
      for (int i = 0; i < blocks; i++) {
        siluBlock(out, in, i * atOnce, atOnce);
      }
    }
  }

  private void siluBlock(Tensor out, Tensor in, long first, long atOnce) {
    try (Scope scope = Scope.open()) {
      long count = Math.min(atOnce, in.size(0) - first);
      Tensor to = out.narrow(0, first, count);
      Tensor normal = apply(in.narrow(0, first, count));
      if (to.dtype() == DType.FLOAT32) {
        Tensor.siluInto(to, normal);
      } else {
        to.copyFrom(normal.siluInPlace());
      }
    }
  }
}
