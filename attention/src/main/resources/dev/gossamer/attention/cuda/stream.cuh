// The keys of a query group as one stream of blocks of 8 rows: first, with a tail, the center and
// the pseudo-keys, then the selected clusters one after the other. Tiles are cut out of the stream
// without regard to clusters, so that clusters of any size fill them.
#pragma once

#include "common.cuh"

// Finds blocks of selected clusters; a warp walks the bitmap 32 clusters at a time.
struct BlockStream {
  const u32* bits;
  const int* offsets;
  const int* starts;
  int words;
  int word;      // whose clusters are in the window
  u32 held;      // this lane's word of the 32 words around it
  int begin;     // position of the window's first block
  int total;     // blocks of the window
  int inclusive; // blocks of the window's clusters up to this lane's
  int first;     // first block of this lane's cluster
  int size;      // its rows, if selected

  __device__ __forceinline__ void open(const u32* selection, const int* keyOffsets,
                                       const int* blockStarts, int wordCount) {
    bits = selection;
    offsets = keyOffsets;
    starts = blockStarts;
    words = wordCount;
    word = -1;
    held = 0;
    begin = 0;
    total = 0;
    inclusive = 0;
    first = 0;
    size = 0;
  }

  __device__ __forceinline__ bool advance() {
    int lane = threadIdx.x & 31;
    begin += total;
    u32 window;
    do {
      word++;
      if (word >= words) return false;
      if ((word & 31) == 0) held = word + lane < words ? bits[word + lane] : 0;
      window = __shfl_sync(0xffffffffu, held, word & 31);
    } while (window == 0);
    bool chosen = window >> lane & 1;
    int j = word * 32 + lane;
    int from = chosen ? offsets[j] : 0;
    size = chosen ? offsets[j + 1] - from : 0;
    first = chosen ? starts[j] : 0;
    inclusive = (size + 7) >> 3;
#pragma unroll
    for (int i = 1; i < 32; i <<= 1) {
      int other = __shfl_up_sync(0xffffffffu, inclusive, i);
      if (lane >= i) inclusive += other;
    }
    total = __shfl_sync(0xffffffffu, inclusive, 31);
    return true;
  }

  // Block and rows in it at a position; all lanes call, with positions that never fall from lane to
  // lane and call to call. Negative: nothing is wanted.
  __device__ __forceinline__ void find(int position, int& block, int& rows) {
    bool open = position >= 0;
    block = 0;
    rows = 0;
    while (true) {
      int place = position - begin;
      bool here = open && place < total;
      if (__any_sync(0xffffffffu, here)) {
        int owner = 0;
#pragma unroll
        for (int step = 16; step > 0; step >>= 1) {
          int end = __shfl_sync(0xffffffffu, inclusive, owner + step - 1);
          if (place >= end) owner += step;
        }
        owner &= 31;
        int end = __shfl_sync(0xffffffffu, inclusive, owner);
        int start = __shfl_sync(0xffffffffu, first, owner);
        int tokens = __shfl_sync(0xffffffffu, size, owner);
        if (here) {
          int index = place - (end - ((tokens + 7) >> 3));
          block = start + index;
          rows = min(8, tokens - 8 * index);
          open = false;
        }
      }
      if (!__any_sync(0xffffffffu, open)) return;
      if (!advance()) return;
    }
  }
};

// Which rows of a tile's blocks, 24 at most, are keys of the group.
struct TileGaps {
  u32 blocks;           // bit per block: not all of its 8 rows are
  u32 rows[3];          // rows of each block that are, 4 bits a block
};

// What a tile needs besides its keys and values.
template <int KEYS>
struct __align__(16) TileNotes {
  TileGaps gaps;
  float bias[KEYS];     // tiles with pseudo-keys: what is added to each logit before it is scaled
};

// In one load, before there is anything to apply it to.
template <int KEYS>
__device__ __forceinline__ TileGaps readGaps(const TileNotes<KEYS>& notes) {
  uint4 words = *reinterpret_cast<const uint4*>(&notes.gaps);
  return TileGaps{words.x, {words.y, words.z, words.w}};
}

// Where a tile's blocks lie; a lane looks after the block of its number.
struct TilePlan {
  bool tail;   // this lane's block is one of pseudo-keys
  int block;   // in its image
  int rows;    // of it that count
};

// Plans tile number `tile` of the stream; lanes from BLOCKS on get the last block, with no rows.
template <int BLOCKS>
__device__ __forceinline__ TilePlan planTile(BlockStream& stream, int tile, int tailBlocks,
                                             int allBlocks) {
  int lane = threadIdx.x & 31;
  int position = tile * BLOCKS + min(lane, BLOCKS - 1);
  bool beyond = position >= allBlocks;
  // What lies beyond the end is read, though not seen: the last block again, which is selected.
  position = min(position, allBlocks - 1);
  TilePlan plan;
  plan.tail = position < tailBlocks;
  if (tile * BLOCKS + BLOCKS <= tailBlocks) {
    plan.block = position;
    plan.rows = 8;
  } else {
    stream.find(plan.tail ? -1 : position - tailBlocks, plan.block, plan.rows);
    if (plan.tail) {
      plan.block = position;
      plan.rows = 8;
    }
  }
  if (beyond) plan.rows = 0;
  return plan;
}

// Writes a tile's notes; the warp that planned it calls. Biases are divided by the logits' scale.
template <int BLOCKS>
__device__ __forceinline__ void writeNotes(TileNotes<BLOCKS * 8>& notes, const TilePlan& plan,
                                           int tile, int tailBlocks, const u32* selection,
                                           const float* logSizes, float unscale) {
  int lane = threadIdx.x & 31;
  u32 gaps = __ballot_sync(0xffffffffu, lane < BLOCKS && plan.rows < 8);
  u32 rows[3];
#pragma unroll
  for (int i = 0; i < 3; i++) {
    bool here = lane < BLOCKS && lane >> 3 == i;
    rows[i] = __reduce_or_sync(0xffffffffu, here ? (u32)plan.rows << 4 * (lane & 7) : 0);
  }
  if (lane == 0) *reinterpret_cast<uint4*>(&notes.gaps) = make_uint4(gaps, rows[0], rows[1], rows[2]);
  if (tile * BLOCKS < tailBlocks) {
#pragma unroll
    for (int i = 0; i < (BLOCKS * 8 + 31) / 32; i++) {
      int column = i * 32 + lane;
      int rows = __shfl_sync(0xffffffffu, plan.rows, (column >> 3) & 31);
      int position = tile * BLOCKS + (column >> 3);
      float bias = (column & 7) < rows ? 0 : MINUS_INFINITY;
      if (position == 0) {
        bias = MINUS_INFINITY;
      } else if (position < tailBlocks) {
        int j = (position - 1) * 8 + (column & 7);
        bool chosen = selection[j >> 5] >> (j & 31) & 1;
        bias = chosen ? MINUS_INFINITY : logSizes[j] * unscale;
      }
      if (column < BLOCKS * 8) notes.bias[column] = bias;
    }
  }
}

// Logit of the center, of the first two logits of a row: rows 0 and 1 of the first block add up to it.
__device__ __forceinline__ float centerOf(float first, float second) {
  return __shfl_sync(0xffffffffu, first + second, threadIdx.x & 28);
}

// Takes columns of a tile out or gives them their bias. A thread holds, per block of 8 columns,
// two columns of two rows: s[4 block + 2 half + column]. `center` is the logit of the center for
// its two rows; the first tile sets it.
template <int BLOCKS>
__device__ __forceinline__ void applyNotes(float (&s)[BLOCKS * 4],
                                           const TileNotes<BLOCKS * 8>& notes,
                                           const TileGaps& gaps, int tile, int tailBlocks,
                                           float (&center)[2]) {
  static_assert(BLOCKS <= 24, "gaps have room for no more");
  int lane = threadIdx.x & 31;
  int column = 2 * (lane & 3);
  if (tile * BLOCKS < tailBlocks) {
    if (tile == 0) {
      center[0] = centerOf(s[0], s[1]);
      center[1] = centerOf(s[2], s[3]);
    }
#pragma unroll
    for (int b = 0; b < BLOCKS; b++) {
      float2 bias = *reinterpret_cast<const float2*>(notes.bias + b * 8 + column);
      bool point = tile * BLOCKS + b < tailBlocks;
      float first = point ? center[0] : 0;
      float second = point ? center[1] : 0;
      s[4 * b] += bias.x + first;
      s[4 * b + 1] += bias.y + first;
      s[4 * b + 2] += bias.x + second;
      s[4 * b + 3] += bias.y + second;
    }
    return;
  }
  if (gaps.blocks == 0) return;
#pragma unroll
  for (int four = 0; four < BLOCKS; four += 4) { // few blocks have gaps: look at four at once
    if ((gaps.blocks >> four & 15) == 0) continue;
#pragma unroll
    for (int b = four; b < four + 4 && b < BLOCKS; b++) {
      if (gaps.blocks >> b & 1) {
        int rows = gaps.rows[b >> 3] >> 4 * (b & 7) & 15;
        if (column >= rows) s[4 * b] = s[4 * b + 2] = MINUS_INFINITY;
        if (column + 1 >= rows) s[4 * b + 1] = s[4 * b + 3] = MINUS_INFINITY;
      }
    }
  }
}
