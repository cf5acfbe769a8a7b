// Attention of query groups to their own key clusters (AdaCluster 1.5) and to one pseudo-key for
// every cluster that a group did not select (1.9), on any card from sm_80 on: m16n8k16 and
// asynchronous copies. The Hopper twin is attention_sm90.cu; both take the same arguments.
#include "stream.cuh"

constexpr int TILE_ROWS = 128; // 8 warps of 16
constexpr int TILE_BLOCKS = 8;
constexpr int TILE_KEYS = TILE_BLOCKS * 8;
constexpr int TILE_BYTES = TILE_KEYS * ROW_BYTES;
constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;

// grid: a bound of the number of items (blocks behind the last leave at once), block 256,
// dynamic shared memory 384 * ROW_BYTES
// (98,304 for 128 columns, 49,152 for 64)
//   q            view [heads][tokens][D]
//   queryOrder   int [heads][tokens], of the sort of queries
//   keyBlocks, valueBlocks, blocks   of update_both
//   keyOffsets   int [heads][K + 1], blockStarts int [heads][KP + 1], of the sort of keys
//   tailKeys, tailValues, logSizes   of update_both; all null: no tail
//   selection    u32 [heads][groups][KP / 32], groupBlocks int [heads][groups], of the selection
//   items        of plan_items with tiles of 128 rows, tail blocks as here
//   itemCount    int [2], of plan_items; attend reads the first, attend_sm90 both
//   scale        of logits
//   out          view [heads][tokens][D], every token is written
//   lse          float [heads][tokens] or null: natural logarithm of the sum of exponentials, the
//                tail's included; -inf and a row of zeros where a query sees no key
extern "C" __global__ void __launch_bounds__(256, 1)
attend(const T* q, i64 qBatch, i64 qHead, i64 qToken, int perBatch, int tokens,
       const int* queryOrder, const T* keyBlocks, const T* valueBlocks, i64 blocks,
       const int* keyOffsets, const int* blockStarts, int K, int KP, const T* tailKeys,
       const T* tailValues, const float* logSizes, const u32* selection, int groups,
       const int* groupBlocks, const int4* items, int* itemCount, float scale, T* out,
       i64 outBatch, i64 outHead, i64 outToken, float* lse) {
  extern __shared__ __align__(1024) char memory[];
  __shared__ TileNotes<TILE_KEYS> notes[2];
  if ((int)blockIdx.x >= itemCount[0]) return;
  int4 item = items[blockIdx.x];
  int h = item.x;
  int rows = item.z;
  i64 group = (i64)h * groups + item.w;
  u32 queries = sharedAddress(memory);
  u32 keyTiles = queries + TILE_ROWS * ROW_BYTES;
  u32 valueTiles = keyTiles + 2 * TILE_BYTES;
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  const int* order = queryOrder + (i64)h * tokens + item.y;
  const T* from = q + Rows{qBatch, qHead, qToken, perBatch}.at(h);
  for (int i = threadIdx.x; i < TILE_ROWS * ROW_CHUNKS; i += 256) {
    int row = i / ROW_CHUNKS;
    int chunk = i % ROW_CHUNKS;
    copyAsync(queries + imageOffset(row, chunk),
              from + order[row < rows ? row : 0] * qToken + chunk * 8);
  }
  const u32* row = selection + group * (KP / 32);
  int tailBlocks = tailKeys == nullptr ? 0 : KP / 8 + 1;
  int allBlocks = tailBlocks + groupBlocks[group];
  int tiles = (allBlocks + TILE_BLOCKS - 1) / TILE_BLOCKS;
  BlockStream stream;
  stream.open(row, keyOffsets + (i64)h * (K + 1), blockStarts + (i64)h * (KP + 1), KP / 32);
  const char* keyImage = reinterpret_cast<const char*>(keyBlocks) + h * blocks * BLOCK_BYTES;
  const char* valueImage = reinterpret_cast<const char*>(valueBlocks) + h * blocks * BLOCK_BYTES;
  i64 tailOffset = (i64)h * (KP / 8 + 1) * BLOCK_BYTES;
  const char* keyTail = reinterpret_cast<const char*>(tailKeys) + tailOffset;
  const char* valueTail = reinterpret_cast<const char*>(tailValues) + tailOffset;

  auto fetch = [&](int tile) { // a warp copies the block of its number
    TilePlan plan = planTile<TILE_BLOCKS>(stream, tile, tailBlocks, allBlocks);
    if (warp == 0) {
      writeNotes<TILE_BLOCKS>(notes[tile & 1], plan, tile, tailBlocks, row,
                              logSizes + (i64)h * KP, 1 / scale);
    }
    bool tail = __shfl_sync(0xffffffffu, (int)plan.tail, warp);
    i64 block = __shfl_sync(0xffffffffu, plan.block, warp);
    const char* key = (tail ? keyTail : keyImage) + block * BLOCK_BYTES;
    const char* value = (tail ? valueTail : valueImage) + block * BLOCK_BYTES;
    u32 at = (tile & 1) * TILE_BYTES + warp * BLOCK_BYTES;
#pragma unroll
    for (int i = 0; i < BLOCK_BYTES / 512; i++) {
      copyAsync(keyTiles + at + i * 512 + lane * 16, key + i * 512 + lane * 16);
      copyAsync(valueTiles + at + i * 512 + lane * 16, value + i * 512 + lane * 16);
    }
  };

  float o[HEAD_DIM / 8][4] = {};
  float top[2] = {MINUS_INFINITY, MINUS_INFINITY};
  float sum[2] = {};
  float center[2] = {};
  float factor = scale * LOG2_E;
  u32 left[HEAD_DIM / 16][4];
  if (tiles > 0) fetch(0);
  commitCopies();
  for (int tile = 0; tile < tiles; tile++) {
    if (tile + 1 < tiles) fetch(tile + 1);
    commitCopies();
    waitCopies<1>();
    __syncthreads();
    if (tile == 0) {
#pragma unroll
      for (int k = 0; k < HEAD_DIM / 16; k++) leftFragment(left[k], queries, warp * 16, k);
    }
    u32 keys = keyTiles + (tile & 1) * TILE_BYTES;
    u32 values = valueTiles + (tile & 1) * TILE_BYTES;
    float s[TILE_BLOCKS * 4] = {};
#pragma unroll
    for (int pair = 0; pair < TILE_BLOCKS / 2; pair++) {
      float low[4] = {};
      float high[4] = {};
#pragma unroll
      for (int k = 0; k < HEAD_DIM / 16; k++) {
        u32 b[4];
        rightFragments(b, keys, pair * 16, k);
        multiply(low, left[k], b[0], b[1]);
        multiply(high, left[k], b[2], b[3]);
      }
#pragma unroll
      for (int i = 0; i < 4; i++) {
        s[8 * pair + i] = low[i];
        s[8 * pair + 4 + i] = high[i];
      }
    }
    const TileNotes<TILE_KEYS>& said = notes[tile & 1];
    applyNotes<TILE_BLOCKS>(s, said, readGaps(said), tile, tailBlocks, center);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float higher = top[half];
#pragma unroll
      for (int b = 0; b < TILE_BLOCKS; b++) {
        higher = fmaxf(higher, fmaxf(s[4 * b + 2 * half], s[4 * b + 2 * half + 1]));
      }
      higher = maxOfQuad(higher);
      float origin = higher == MINUS_INFINITY ? 0 : higher * factor;
      float shrink = exp2Fast(top[half] * factor - origin);
      top[half] = higher;
      sum[half] *= shrink;
#pragma unroll
      for (int b = 0; b < TILE_BLOCKS; b++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          float& x = s[4 * b + 2 * half + i];
          x = exp2Fast(x * factor - origin);
          sum[half] += x;
        }
      }
#pragma unroll
      for (int n = 0; n < HEAD_DIM / 8; n++) {
        o[n][2 * half] *= shrink;
        o[n][2 * half + 1] *= shrink;
      }
    }
#pragma unroll
    for (int k = 0; k < TILE_KEYS / 16; k++) {
      u32 p[4] = {packPair(s[8 * k], s[8 * k + 1]), packPair(s[8 * k + 2], s[8 * k + 3]),
                  packPair(s[8 * k + 4], s[8 * k + 5]), packPair(s[8 * k + 6], s[8 * k + 7])};
#pragma unroll
      for (int n = 0; n < HEAD_DIM / 16; n++) {
        u32 b[4];
        loadMatricesTransposed(b, values + imageOffset(k * 16 + (lane & 15), 2 * n + (lane >> 4)));
        multiply(o[2 * n], p, b[0], b[1]);
        multiply(o[2 * n + 1], p, b[2], b[3]);
      }
    }
    __syncthreads();
  }
  waitCopies<0>();
  __syncthreads();
  // A warp's own 16 rows of queries are done with: the output goes there, and out in whole rows.
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float total = sumOfQuad(sum[half]);
    float inverse = total > 0 ? 1 / total : 0;
    int r = warp * 16 + half * 8 + (lane >> 2);
    if (total != total) inverse = total;
#pragma unroll
    for (int n = 0; n < HEAD_DIM / 8; n++) {
      *reinterpret_cast<u32*>(memory + imageOffset(r, n) + 4 * (lane & 3)) =
          packPair(o[n][2 * half] * inverse, o[n][2 * half + 1] * inverse);
    }
    if (lse != nullptr && (lane & 3) == 0 && r < rows) {
      lse[(i64)h * tokens + order[r]] =
          total > 0 || total != total ? top[half] * scale + log2f(total) * LN_2 : MINUS_INFINITY;
    }
  }
  __syncwarp();
  T* to = out + Rows{outBatch, outHead, outToken, perBatch}.at(h);
#pragma unroll
  for (int i = 0; i < ROW_CHUNKS / 2; i++) {
    int r = warp * 16 + (i * 32 + lane) / ROW_CHUNKS;
    int chunk = (i * 32 + lane) % ROW_CHUNKS;
    if (r < rows) {
      *reinterpret_cast<uint4*>(to + order[r] * outToken + chunk * 8) =
          *reinterpret_cast<const uint4*>(memory + imageOffset(r, chunk));
    }
  }
}
