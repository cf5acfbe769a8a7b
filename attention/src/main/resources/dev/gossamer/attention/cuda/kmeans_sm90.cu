// The nearest centroid of each token on Hopper (sm_90a): warpgroup products over centroids in shared
// memory. A block stays on its multiprocessor and goes through its share of all tokens; the next
// tile of tokens is on its way while the present one is searched. A copying warp brings the
// centroids: once for all of its tiles of a head where they fit, else as a stream for each tile.
#include "nearest.cuh"
#include "wgmma.cuh"

constexpr int CONSUMERS = 4;
constexpr int TILE_ROWS = 64 * CONSUMERS;
constexpr int TILE_CENTROIDS = 128;
constexpr int STAGES = HEAD_DIM == 64 ? 4 : 2;
constexpr int ROWS_AT_ONCE = 128 / ROW_CHUNKS; // that a warpgroup copies

struct Shared {
  char tokens[2][TILE_ROWS * ROW_BYTES];
  char centroids[STAGES][TILE_CENTROIDS * ROW_BYTES];
  float bias[STAGES][TILE_CENTROIDS];
  u64 full[STAGES], empty[STAGES];
};

// A tile of tokens: its head and its first token.
struct Place {
  int head;
  int first;
  __device__ __forceinline__ void next(int tokens) {
    first += TILE_ROWS;
    if (first >= tokens) {
      first = 0;
      head++;
    }
  }
};

template <int N>
__device__ __forceinline__ void searchTile(Nearest<TILE_CENTROIDS>& nearest, u64 tokens,
                                           const Shared& shared, u32 stage) {
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
}

// grid: number of multiprocessors, block 544, dynamic shared memory sizeof(Shared) + 1,024:
// 198,688 bytes for 128 columns, 134,208 for 64. Arguments as nearest_centroid in kmeans.cu, and
// the number of heads.
extern "C" __global__ void __launch_bounds__(128 * CONSUMERS + 32, 1)
nearest_centroid_sm90(int heads, const T* x, i64 xBatch, i64 xHead, i64 xToken, int perBatch,
                      int tokens, const T* operand, const float* bias, int C, int CP, u16* labels,
                      i64 labelStride, float* closeness, int* flags) {
  extern __shared__ __align__(1024) char memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory + (-sharedAddress(memory) & 1023));
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
  int ofHead = (tokens + TILE_ROWS - 1) / TILE_ROWS;
  i64 all = (i64)ofHead * heads;
  int item = (int)(all * blockIdx.x / gridDim.x);
  int end = (int)(all * (blockIdx.x + 1) / gridDim.x);
  Place place{item / ofHead, item % ofHead * TILE_ROWS};
  u32 tiles = (CP + TILE_CENTROIDS - 1) / TILE_CENTROIDS;
  bool resident = tiles <= STAGES;
  if (warp == 4 * CONSUMERS) {
    u32 n = 0;
    for (bool wanted = true; lane == 0 && item < end; item++) {
      const char* image = reinterpret_cast<const char*>(operand + (i64)place.head * CP * HEAD_DIM);
      const float* biases = bias + (i64)place.head * CP;
      for (u32 tile = 0; wanted && tile < tiles; tile++, n++) {
        u32 stage = n % STAGES;
        int count = min(TILE_CENTROIDS, CP - (int)tile * TILE_CENTROIDS);
        barrierWait(sharedAddress(&shared.empty[stage]), (n / STAGES & 1) ^ 1);
        u32 full = sharedAddress(&shared.full[stage]);
        barrierExpect(full, count * (ROW_BYTES + 4));
        copyBulk(sharedAddress(shared.centroids[stage]),
                 image + (i64)tile * TILE_CENTROIDS * ROW_BYTES, count * ROW_BYTES, full);
        copyBulk(sharedAddress(shared.bias[stage]), biases + tile * TILE_CENTROIDS, count * 4,
                 full);
      }
      place.next(tokens);
      wanted = !resident || place.first == 0;
    }
    return;
  }
  int consumer = __shfl_sync(0xffffffffu, warp, 0) >> 2;
  Rows view{xBatch, xHead, xToken, perBatch};
  int myRow = consumer * 64 + (threadIdx.x & 127) / ROW_CHUNKS;
  int myChunk = threadIdx.x % ROW_CHUNKS;
  Place ahead = place;
  const T* from = x + view.at(ahead.head) + myChunk * 8;
  auto load = [&](u32 buffer) {
    u32 to = sharedAddress(shared.tokens[buffer]);
#pragma unroll
    for (int i = 0; i < 64 / ROWS_AT_ONCE; i++) {
      int row = myRow + i * ROWS_AT_ONCE;
      copyAsync(to + imageOffset(row, myChunk),
                from + (i64)min(ahead.first + row, tokens - 1) * xToken);
    }
    ahead.next(tokens);
    if (ahead.first == 0) from = x + view.at(ahead.head) + myChunk * 8;
  };
  if (item < end) load(0);
  commitCopies();
  u32 n = 0; // of the first tile of centroids
  for (u32 buffer = 0; item < end; item++, buffer ^= 1) {
    waitCopies<0>();
    fenceProxy();
    namedSync(1 + consumer, 128); // my warpgroup's tokens are there; nobody reads those before
    if (item + 1 < end) load(buffer ^ 1);
    commitCopies();
    // The last tile of tokens that uses these centroids frees their space.
    bool last = !resident || item + 1 == end || place.first + TILE_ROWS >= tokens;
    u64 mine = describe(sharedAddress(shared.tokens[buffer]) + consumer * 8 * BLOCK_BYTES);
    Nearest<TILE_CENTROIDS> nearest;
    for (u32 tile = 0; tile < tiles; tile++) {
      u32 stage = (n + tile) % STAGES;
      barrierWait(sharedAddress(&shared.full[stage]), (n + tile) / STAGES & 1);
      int count = CP - (int)tile * TILE_CENTROIDS;
      if (count >= 128) {
        searchTile<128>(nearest, mine, shared, stage);
      } else if (count == 96) {
        searchTile<96>(nearest, mine, shared, stage);
      } else if (count == 64) {
        searchTile<64>(nearest, mine, shared, stage);
      } else {
        searchTile<32>(nearest, mine, shared, stage);
      }
      nearest.end(tile);
      __syncwarp();
      if (lane == 0 && last) barrierArrive(sharedAddress(&shared.empty[stage]));
    }
    if (last) n += tiles;
    nearest.write(place.first + warp * 16, tokens, C, place.head * labelStride, labels, closeness,
                  flags);
    place.next(tokens);
  }
}
