// The running nearest centroid of two rows (lane / 4 and that + 8 of a warp's 16) over tiles of
// centroids whose scores a warp holds as the accumulator of a product.
#pragma once

#include "common.cuh"

// A score with its place among 32 in the lowest five bits; of equal scores the first is the
// largest (the last, if they are negative). Minus infinity becomes NaN, which no maximum takes.
// highBits is ~31.
__device__ __forceinline__ float tagged(float score, int place, int highBits) {
  int bits;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" // (score & highBits) | place
      : "=r"(bits)
      : "r"(__float_as_int(score)), "r"(highBits), "r"(31 - place));
  return __int_as_float(bits);
}

// TILE: centroids of a tile, at most 128.
template <int TILE>
struct Nearest {
  float best[2] = {MINUS_INFINITY, MINUS_INFINITY};
  int bestTile[2] = {0, 0};
  float local[2];
  // Not a constant to the compiler, for which a tag would then be two instructions instead of one.
  int highBits = gridDim.x == 0 ? 0 : ~31;

  __device__ __forceinline__ void begin() { local[0] = local[1] = MINUS_INFINITY; }

  // Scores of 8 centroids, this lane's two columns of its two rows, and what is added to a column.
  __device__ __forceinline__ void consider(const float (&s)[4], float2 add, int block) {
    local[0] = fmaxf(local[0], fmaxf(tagged(s[0] + add.x, 2 * block, highBits),
                                     tagged(s[1] + add.y, 2 * block + 1, highBits)));
    local[1] = fmaxf(local[1], fmaxf(tagged(s[2] + add.x, 2 * block, highBits),
                                     tagged(s[3] + add.y, 2 * block + 1, highBits)));
  }

  __device__ __forceinline__ void end(int tile) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      if (local[half] > best[half]) {
        best[half] = local[half];
        bestTile[half] = tile;
      }
    }
  }

  // firstToken: of the warp's 16; base: where the head's labels start.
  __device__ __forceinline__ void write(int firstToken, int tokens, int centroids, i64 base,
                                        u16* labels, float* closeness, int* flags) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      int place = 31 - (__float_as_int(best[half]) & 31);
      int label = bestTile[half] * TILE + (place >> 1) * 8 + 2 * (lane & 3) + (place & 1);
      float value = best[half];
#pragma unroll
      for (int i = 1; i < 4; i <<= 1) {
        float otherValue = __shfl_xor_sync(0xffffffffu, value, i);
        int otherLabel = __shfl_xor_sync(0xffffffffu, label, i);
        if (otherValue > value || (otherValue == value && otherLabel < label)) {
          value = otherValue;
          label = otherLabel;
        }
      }
      int token = firstToken + half * 8 + (lane >> 2);
      if ((lane & 3) == 0 && token < tokens) {
        bool found = value > MINUS_INFINITY;
        labels[base + token] = found ? min(label, centroids - 1) : 0;
        if (closeness != nullptr) closeness[base + token] = value;
        if (!found && flags != nullptr) atomicOr(flags, 1);
      }
    }
  }
};
