// The nearest centroid of each token on Hopper (sm_90a): warpgroup products over centroids that a
// copying warp streams through shared memory. Two blocks share a multiprocessor, so that one's
// search for the largest score runs beside the other's products.
#include "nearest.cuh"
#include "wgmma.cuh"

constexpr int CONSUMERS = 2;
constexpr int TILE_ROWS = 64 * CONSUMERS;
constexpr int TILE_CENTROIDS = 128;
constexpr int STAGES = 2;

struct Shared {
  char tokens[TILE_ROWS * ROW_BYTES];
  char centroids[STAGES][TILE_CENTROIDS * ROW_BYTES];
  float bias[STAGES][TILE_CENTROIDS];
  u64 full[STAGES], empty[STAGES];
};

template <int N>
__device__ __forceinline__ void searchTile(Nearest<TILE_CENTROIDS>& nearest, u64 tokens,
                                           Shared& shared, int tile) {
  int stage = tile % STAGES;
  u64 centroids = describe(sharedAddress(shared.centroids[stage]));
  float s[N / 2];
  wgmmaFence();
#pragma unroll
  for (int k = 0; k < HEAD_DIM / 16; k++) {
    wgmma(s, stepOfRows(tokens, k), stepOfRows(centroids, k), k > 0);
  }
  wgmmaCommit();
  int column = 2 * (threadIdx.x & 3);
  wgmmaWait<0>();
  pin(s);
  nearest.begin();
#pragma unroll
  for (int b = 0; b < N / 8; b++) {
    float2 add = *reinterpret_cast<const float2*>(shared.bias[stage] + b * 8 + column);
    float part[4] = {s[4 * b], s[4 * b + 1], s[4 * b + 2], s[4 * b + 3]};
    nearest.consider(part, add, b);
  }
  nearest.end(tile);
}

// grid (ceil(tokens / 128), heads), block 288, dynamic shared memory sizeof(Shared) + 1,024:
// 100,384 bytes for 128 columns, 51,232 for 64. Arguments as nearest_centroid in kmeans.cu.
extern "C" __global__ void __launch_bounds__(288, 2)
nearest_centroid_sm90(const T* x, i64 xBatch, i64 xHead, i64 xToken, int perBatch, int tokens,
                      const T* operand, const float* bias, int C, int CP, u16* labels,
                      i64 labelStride, float* closeness, int* flags) {
  extern __shared__ char memory[];
  Shared& shared = *reinterpret_cast<Shared*>((reinterpret_cast<u64>(memory) + 1023) & ~(u64)1023);
  int h = blockIdx.y;
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; i++) {
      barrierInit(sharedAddress(&shared.full[i]), 1);
      barrierInit(sharedAddress(&shared.empty[i]), 4 * CONSUMERS);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    fenceProxy();
  }
  __syncthreads();
  int tiles = (CP + TILE_CENTROIDS - 1) / TILE_CENTROIDS;
  if (warp == 4 * CONSUMERS) {
    const char* image = reinterpret_cast<const char*>(operand + (i64)h * CP * HEAD_DIM);
    const float* biases = bias + (i64)h * CP;
    for (int tile = 0; lane == 0 && tile < tiles; tile++) {
      int stage = tile % STAGES;
      int count = min(TILE_CENTROIDS, CP - tile * TILE_CENTROIDS);
      barrierWait(sharedAddress(&shared.empty[stage]), (tile / STAGES & 1) ^ 1);
      u32 full = sharedAddress(&shared.full[stage]);
      barrierExpect(full, count * (ROW_BYTES + 4));
      copyBulk(sharedAddress(shared.centroids[stage]),
               image + (i64)tile * TILE_CENTROIDS * ROW_BYTES, count * ROW_BYTES, full);
      copyBulk(sharedAddress(shared.bias[stage]), biases + tile * TILE_CENTROIDS, count * 4, full);
    }
    return;
  }
  int consumer = warp >> 2;
  int first = blockIdx.x * TILE_ROWS;
  const T* from = x + Rows{xBatch, xHead, xToken, perBatch}.at(h);
#pragma unroll
  for (int i = 0; i < ROW_CHUNKS / 2; i++) {
    int place = i * 128 + (threadIdx.x & 127);
    int row = consumer * 64 + place / ROW_CHUNKS;
    int chunk = place % ROW_CHUNKS;
    i64 token = min(first + row, tokens - 1);
    *reinterpret_cast<uint4*>(shared.tokens + imageOffset(row, chunk)) =
        *reinterpret_cast<const uint4*>(from + token * xToken + chunk * 8);
  }
  fenceProxy();
  namedSync(1 + consumer, 128);
  u64 mine = describe(sharedAddress(shared.tokens) + consumer * 8 * BLOCK_BYTES);
  Nearest<TILE_CENTROIDS> nearest;
  for (int tile = 0; tile < tiles; tile++) {
    barrierWait(sharedAddress(&shared.full[tile % STAGES]), tile / STAGES & 1);
    int count = CP - tile * TILE_CENTROIDS;
    if (count >= 128) {
      searchTile<128>(nearest, mine, shared, tile);
    } else if (count == 96) {
      searchTile<96>(nearest, mine, shared, tile);
    } else if (count == 64) {
      searchTile<64>(nearest, mine, shared, tile);
    } else {
      searchTile<32>(nearest, mine, shared, tile);
    }
    __syncwarp();
    if (lane == 0) barrierArrive(sharedAddress(&shared.empty[tile % STAGES]));
  }
  nearest.write(first + warp * 16, tokens, C, h * labelStride, labels, closeness, flags);
}
