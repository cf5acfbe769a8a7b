// Lloyd's iterations over the tokens of all heads at once (AdaCluster 1.2, 1.3): centroids as an
// operand, nearest centroid of each token, stable counting sort by cluster, new centroids with
// everything that scoring and the tail want to know of a cluster. Sums are float32, in a fixed
// order: the same input gives the same bits.
//
// Runs on sm_80 and later; nearest_centroid has a faster twin in kmeans_sm90.cu.
//
// Sizes used below
//   heads    batch x heads; head h is h % perBatch of batch h / perBatch
//   tokens   tokens that are sorted, text included
//   C        centroids of a head                       (<= 4,096)
//   K        clusters of a head: C, or C + 1 with protected text, whose cluster is the last
//   CP, KP   C and K rounded up to a multiple of 32
//   chunks   ceil(tokens / 2048)
// Tensors [heads][..] below are contiguous; views take strides in elements (multiples of 8).
#include "nearest.cuh"

constexpr int SORT_CHUNK = 2048;

// ---- centroids as right operand -------------------------------------------------------------
//
// grid (heads, sides), block 1024, no dynamic shared memory; arguments of a second side behind those
// of the first
//   centroids  float [heads][C][D], in the tokens' own coordinates
//   counts     int [heads], centroids that a head has (the rest of its C rows is ignored), or null
//   euclidean  1: nearest by distance; 0: by angle (center is then zero)
//   operand    T [heads], block images of CP rows: c - center, zero rows behind
//   bias       float [heads][CP]: -|c'|^2 / 2 - center.c' for distances, 0 for angles, -inf behind,
//              so that x.c' + bias ranks centroids for the raw token x
//   center     float [heads][D]: mean of the centroids, which keeps what is rounded small
extern "C" __global__ void __launch_bounds__(1024)
prepare_centroids(const float* centroids, const int* counts, int C, int CP, int euclidean,
                  T* operand, float* bias, float* center, const float* centroids2,
                  const int* counts2, int C2, int CP2, int euclidean2, T* operand2, float* bias2,
                  float* center2) {
  if (blockIdx.y == 1) {
    centroids = centroids2;
    counts = counts2;
    C = C2;
    CP = CP2;
    euclidean = euclidean2;
    operand = operand2;
    bias = bias2;
    center = center2;
  }
  __shared__ float sums[1024];
  __shared__ float mean[HEAD_DIM];
  int h = blockIdx.x;
  int count = counts == nullptr ? C : min(C, counts[h]);
  const float* from = centroids + (i64)h * C * HEAD_DIM;
  constexpr int SLICES = 1024 / HEAD_DIM;
  int column = threadIdx.x % HEAD_DIM;
  float sum = 0;
  for (int j = threadIdx.x / HEAD_DIM; euclidean && j < count; j += SLICES) {
    sum += from[(i64)j * HEAD_DIM + column];
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x < HEAD_DIM) {
    float total = 0;
    for (int i = 0; i < SLICES; i++) total += sums[i * HEAD_DIM + threadIdx.x];
    mean[threadIdx.x] = total / max(1, count);
    center[(i64)h * HEAD_DIM + threadIdx.x] = mean[threadIdx.x];
  }
  __syncthreads();
  char* image = reinterpret_cast<char*>(operand + (i64)h * CP * HEAD_DIM);
  int lane = threadIdx.x & 31;
  for (int j = threadIdx.x >> 5; j < CP; j += 32) {
    float dot = 0;
    for (int c = 2 * lane; c < HEAD_DIM; c += 64) {
      float x = 0, y = 0;
      if (j < count) {
        x = from[(i64)j * HEAD_DIM + c] - mean[c];
        y = from[(i64)j * HEAD_DIM + c + 1] - mean[c + 1];
      }
      T2 rounded = toElements(x, y);
      float2 exact = toFloats(rounded);
      dot += exact.x * (0.5f * exact.x + mean[c]) + exact.y * (0.5f * exact.y + mean[c + 1]);
      *reinterpret_cast<T2*>(image + imageOffset(j, c >> 3) + (c & 7) * 2) = rounded;
    }
    for (int i = 16; i > 0; i >>= 1) dot += __shfl_xor_sync(0xffffffffu, dot, i);
    if (lane == 0) {
      bias[(i64)h * CP + j] = j >= count ? MINUS_INFINITY : euclidean ? -dot : 0;
    }
  }
}

// ---- nearest centroid -----------------------------------------------------------------------

// grid (ceil(tokens / 128), heads), block 256, dynamic shared memory 256 * ROW_BYTES
//   x          view [heads][tokens][D]; tokens may be a part of a longer sequence
//   operand, bias  of prepare_centroids
//   labels     u16 [heads], stride labelStride: the nearest centroid, always in [0, C)
//   closeness  float, as labels, or null: x.c' + bias of the nearest centroid (18 bits)
//   flags      int [1] or null: set to 1 if a token had no finite score
extern "C" __global__ void __launch_bounds__(256)
nearest_centroid(const T* x, i64 xBatch, i64 xHead, i64 xToken, int perBatch, int tokens,
                 const T* operand, const float* bias, int C, int CP, u16* labels, i64 labelStride,
                 float* closeness, int* flags) {
  constexpr int TILE = 64;
  extern __shared__ __align__(1024) char memory[];
  u32 left = sharedAddress(memory);
  u32 right = left + 128 * ROW_BYTES;
  int h = blockIdx.y;
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  int first = blockIdx.x * 128;
  Rows view{xBatch, xHead, xToken, perBatch};
  const T* from = x + view.at(h);
  for (int i = threadIdx.x; i < 128 * ROW_CHUNKS; i += 256) {
    int row = i / ROW_CHUNKS;
    int chunk = i % ROW_CHUNKS;
    int token = min(first + row, tokens - 1);
    copyAsync(left + imageOffset(row, chunk), from + token * xToken + chunk * 8);
  }
  const char* image = reinterpret_cast<const char*>(operand + (i64)h * CP * HEAD_DIM);
  const float* biases = bias + (i64)h * CP;
  auto fetch = [&](int tile) {
    u32 at = right + (tile & 1) * TILE * ROW_BYTES;
    int bytes = min(TILE, CP - tile * TILE) * ROW_BYTES;
    for (int i = threadIdx.x * 16; i < bytes; i += 256 * 16) {
      copyAsync(at + i, image + (i64)tile * TILE * ROW_BYTES + i);
    }
  };
  fetch(0);
  commitCopies();
  int tiles = (CP + TILE - 1) / TILE;
  u32 a[HEAD_DIM / 16][4];
  Nearest<TILE> nearest;
  for (int tile = 0; tile < tiles; tile++) {
    if (tile + 1 < tiles) fetch(tile + 1);
    commitCopies();
    waitCopies<1>();
    __syncthreads();
    if (tile == 0) {
#pragma unroll
      for (int k = 0; k < HEAD_DIM / 16; k++) leftFragment(a[k], left, warp * 16, k);
    }
    u32 at = right + (tile & 1) * TILE * ROW_BYTES;
    nearest.begin();
#pragma unroll
    for (int pair = 0; pair < TILE / 16; pair++) {
      if (tile * TILE + pair * 16 >= CP) break;
      float s[2][4] = {};
#pragma unroll
      for (int k = 0; k < HEAD_DIM / 16; k++) {
        u32 b[4];
        rightFragments(b, at, pair * 16, k);
        multiply(s[0], a[k], b[0], b[1]);
        multiply(s[1], a[k], b[2], b[3]);
      }
#pragma unroll
      for (int n = 0; n < 2; n++) {
        float2 add = *reinterpret_cast<const float2*>(biases + tile * TILE + pair * 16 + n * 8 +
                                                      2 * (lane & 3));
        nearest.consider(s[n], add, pair * 2 + n);
      }
    }
    nearest.end(tile);
    __syncthreads();
  }
  nearest.write(first + warp * 16, tokens, C, h * labelStride, labels, closeness, flags);
}

// ---- stable counting sort -------------------------------------------------------------------
//
// Tokens before videoFrom and from videoTo on are text; they belong to cluster K - 1. Queries and
// keys are sorted side by side: what ends in 2 is of the second side.

__device__ __forceinline__ int clusterOf(const u16* labels, int token, int videoFrom, int videoTo,
                                         int K) {
  return token < videoFrom || token >= videoTo ? K - 1 : min((int)labels[token], K - 1);
}

// grid (chunks, heads, sides), block 256, dynamic shared memory 4 bytes for each cluster of the side
// with more
//   labels  u16 [heads], stride labelStride, indexed by token (text's are not read)
//   counts  int [heads][chunks][K]
extern "C" __global__ void __launch_bounds__(256)
sort_count(i64 labelStride, int tokens, int videoFrom, int videoTo, const u16* labels, int K,
           int* counts, const u16* labels2, int K2, int* counts2) {
  extern __shared__ int histogram[];
  if (blockIdx.z == 1) {
    labels = labels2;
    K = K2;
    counts = counts2;
  }
  int h = blockIdx.y;
  for (int j = threadIdx.x; j < K; j += 256) histogram[j] = 0;
  __syncthreads();
  int end = min(tokens, (int)(blockIdx.x + 1) * SORT_CHUNK);
  for (int i = blockIdx.x * SORT_CHUNK + threadIdx.x; i < end; i += 256) {
    atomicAdd(&histogram[clusterOf(labels + h * labelStride, i, videoFrom, videoTo, K)], 1);
  }
  __syncthreads();
  int* out = counts + ((i64)h * gridDim.x + blockIdx.x) * K;
  for (int j = threadIdx.x; j < K; j += 256) out[j] = histogram[j];
}

// Ranges of sorted queries that share a selection: every cluster that is not empty in parts of
// `most` queries, but for its last.
__device__ __forceinline__ void makeGroups(const int* offsets, int K, int most, int groups,
                                           int* starts, int* count, int* scratch) {
  int before = 0;
  for (int base = 0; base < K; base += 1024) {
    int j = base + threadIdx.x;
    int start = j < K ? offsets[j] : 0;
    int size = j < K ? offsets[j + 1] - start : 0;
    int parts = (int)(((i64)size + most - 1) / most);
    int total;
    int at = before + blockPrefix(parts, scratch, total);
    for (int part = 0; part < parts; part++) starts[at + part] = start + part * most;
    before += total;
  }
  for (int i = before + threadIdx.x; i <= groups; i += 1024) starts[i] = offsets[K];
  if (threadIdx.x == 0) *count = before;
}

// grid (heads, sides), block 1024, no dynamic shared memory
//   counts       int [heads][chunks][K], in; out: sorted position of the first token of that
//                cluster in that chunk
//   offsets      int [heads][K + 1]: first sorted position of each cluster, tokens at the end
//   blockStarts  int [heads][KP + 1]: first block of each cluster when every cluster starts on a
//                block of 8 rows
//   groupStarts  int [heads][groups + 1], of the first side, which are queries then, or null: first
//                sorted position of each group of at most `most` queries of one cluster; those
//                behind the last group are the number of tokens; groups is at least
//                ceil(tokens / most) + K
//   groupCounts  int [heads]
extern "C" __global__ void __launch_bounds__(1024)
sort_offsets(int chunks, int* counts, int K, int KP, int* offsets, int* blockStarts, int* counts2,
             int K2, int KP2, int* offsets2, int* blockStarts2, int most, int groups,
             int* groupStarts, int* groupCounts) {
  constexpr int AHEAD = 8; // chunks whose counts are under way
  __shared__ int scratch[33];
  if (blockIdx.y == 1) {
    counts = counts2;
    K = K2;
    KP = KP2;
    offsets = offsets2;
    blockStarts = blockStarts2;
  }
  int h = blockIdx.x;
  int* mine = counts + (i64)h * chunks * K;
  int rowsBefore = 0;
  int blocksBefore = 0;
  for (int base = 0; base < KP; base += 1024) {
    int j = base + threadIdx.x;
    int size = 0;
    if (j < K) {
      for (int c = 0; c < chunks; c += AHEAD) {
        int part[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) part[i] = c + i < chunks ? mine[(i64)(c + i) * K + j] : 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) size += part[i];
      }
    }
    int total;
    int start = rowsBefore + blockPrefix(size, scratch, total);
    rowsBefore += total;
    int block = blocksBefore + blockPrefix((size + 7) / 8, scratch, total);
    blocksBefore += total;
    if (j < K) {
      offsets[(i64)h * (K + 1) + j] = start;
      for (int c = 0; c < chunks; c += AHEAD) {
        int part[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) part[i] = c + i < chunks ? mine[(i64)(c + i) * K + j] : 0;
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
          if (c + i < chunks) mine[(i64)(c + i) * K + j] = start;
          start += part[i];
        }
      }
    }
    if (j < KP) blockStarts[(i64)h * (KP + 1) + j] = block;
  }
  if (threadIdx.x == 0) {
    offsets[(i64)h * (K + 1) + K] = rowsBefore;
    blockStarts[(i64)h * (KP + 1) + KP] = blocksBefore;
  }
  if (blockIdx.y == 0 && groupStarts != nullptr) {
    __syncthreads(); // offsets are this block's own
    makeGroups(offsets + (i64)h * (K + 1), K, most, groups, groupStarts + (i64)h * (groups + 1),
               groupCounts + h, scratch);
  }
}

// grid (chunks, heads, sides), block 256, dynamic shared memory 16 bytes for each cluster of the
// side with more (over 48 KB from K = 3,073 on)
//   counts  of sort_offsets
//   order   int [heads][tokens]: the token at each sorted position
extern "C" __global__ void __launch_bounds__(256)
sort_scatter(i64 labelStride, int tokens, int videoFrom, int videoTo, const u16* labels, int K,
             const int* counts, int* order, const u16* labels2, int K2, const int* counts2,
             int* order2) {
  extern __shared__ u16 ranks[]; // [8 warps][K]
  if (blockIdx.z == 1) {
    labels = labels2;
    K = K2;
    counts = counts2;
    order = order2;
  }
  constexpr int WARP_TOKENS = SORT_CHUNK / 8;
  int h = blockIdx.y;
  int lane = threadIdx.x & 31;
  u16* mine = ranks + (threadIdx.x >> 5) * K;
  for (int i = threadIdx.x; i < 8 * K; i += 256) ranks[i] = 0;
  __syncthreads();
  const u16* label = labels + h * labelStride;
  int from = blockIdx.x * SORT_CHUNK + (threadIdx.x >> 5) * WARP_TOKENS;
  for (int i = 0; i < WARP_TOKENS; i += 32) {
    int token = from + i + lane;
    int cluster = token < tokens ? clusterOf(label, token, videoFrom, videoTo, K) : -1;
    u32 same = __match_any_sync(0xffffffffu, cluster);
    if (cluster >= 0 && lane == __ffs(same) - 1) mine[cluster] += __popc(same);
    __syncwarp();
  }
  __syncthreads();
  for (int j = threadIdx.x; j < K; j += 256) {
    int sum = 0;
    for (int w = 0; w < 8; w++) {
      int count = ranks[w * K + j];
      ranks[w * K + j] = sum;
      sum += count;
    }
  }
  __syncthreads();
  const int* base = counts + ((i64)h * gridDim.x + blockIdx.x) * K;
  for (int i = 0; i < WARP_TOKENS; i += 32) {
    int token = from + i + lane;
    int cluster = token < tokens ? clusterOf(label, token, videoFrom, videoTo, K) : -1;
    u32 same = __match_any_sync(0xffffffffu, cluster);
    if (cluster >= 0) {
      int rank = mine[cluster] + __popc(same & ((1u << lane) - 1));
      order[(i64)h * tokens + base[cluster] + rank] = token;
    }
    __syncwarp();
    if (cluster >= 0 && lane == __ffs(same) - 1) mine[cluster] += __popc(same);
    __syncwarp();
  }
}

// ---- new centroids --------------------------------------------------------------------------

// The same for several quantities at once, over a warp's rows first and then over warps.
constexpr int ADD = 0;
constexpr int LARGEST = 1;
constexpr int SMALLEST = 2;

__device__ __forceinline__ float combine(int how, float a, float b) {
  return how == ADD ? a + b : how == LARGEST ? fmaxf(a, b) : fminf(a, b);
}

// Writes a warp's part of a quantity to parts [8 warps][HEAD_DIM].
__device__ __forceinline__ void reduceWarp(int how, float (&x)[8], float* parts) {
  int lane = threadIdx.x & 31;
#pragma unroll
  for (int i = 0; i < 8; i++) {
#pragma unroll
    for (int step = ROW_CHUNKS; step < 32; step <<= 1) {
      x[i] = combine(how, x[i], __shfl_xor_sync(0xffffffffu, x[i], step));
    }
  }
  if (lane < ROW_CHUNKS) {
    float* to = parts + (threadIdx.x >> 5) * HEAD_DIM + lane * 8;
    *reinterpret_cast<float4*>(to) = make_float4(x[0], x[1], x[2], x[3]);
    *reinterpret_cast<float4*>(to + 4) = make_float4(x[4], x[5], x[6], x[7]);
  }
}

__device__ __forceinline__ float reduceColumn(int how, const float* parts, int column) {
  float result = parts[column];
#pragma unroll
  for (int w = 1; w < 8; w++) result = combine(how, result, parts[w * HEAD_DIM + column]);
  return result;
}

// The farthest row of a cluster, first token among equals; written by thread 0. scratch: 16 numbers.
__device__ __forceinline__ void writeFarthest(float distance, int token, float* scratch,
                                              float* farDistance, int* farToken, i64 at) {
  int* tokens = reinterpret_cast<int*>(scratch) + 8;
  auto keepFarther = [&](float otherDistance, int otherToken) {
    if (otherDistance > distance || (otherDistance == distance && otherToken < token)) {
      distance = otherDistance;
      token = otherToken;
    }
  };
#pragma unroll
  for (int step = ROW_CHUNKS; step < 32; step <<= 1) {
    keepFarther(__shfl_xor_sync(0xffffffffu, distance, step),
                __shfl_xor_sync(0xffffffffu, token, step));
  }
  __syncthreads();
  if ((threadIdx.x & 31) == 0) {
    scratch[threadIdx.x >> 5] = distance;
    tokens[threadIdx.x >> 5] = token;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < 8; w++) keepFarther(scratch[w], tokens[w]);
    farDistance[at] = distance;
    farToken[at] = token;
  }
}

// Scratch of one cluster's update.
struct UpdateScratch {
  union {
    float slots[SLOTS * HEAD_DIM];
    float parts[5][8 * HEAD_DIM];
  };
  float warpSums[8];
};

__device__ __forceinline__ void updateCentroid(UpdateScratch& scratch, int j, const T* x,
                                               i64 xBatch, i64 xHead, i64 xToken, int perBatch,
                                               int tokens, const int* order, const int* offsets,
                                               int K, int euclidean, int C, float* centroids,
                                               float* farDistance, int* farToken) {
  constexpr int AHEAD = 4; // rows of a thread in flight
  int h = blockIdx.y;
  const T* from = x + Rows{xBatch, xHead, xToken, perBatch}.at(h);
  int begin = offsets[(i64)h * (K + 1) + j];
  int end = offsets[(i64)h * (K + 1) + j + 1];
  float* centroid = centroids + ((i64)h * C + j) * HEAD_DIM;
  int chunk = threadIdx.x % ROW_CHUNKS;
  float old[8];
  float sum[8] = {};
  float distance = -1;
  int farthest = -1;
#pragma unroll
  for (int i = 0; i < 8; i++) old[i] = centroid[chunk * 8 + i];
  const int* tokenAt = order + (i64)h * tokens;
  for (int at = begin; at < end; at += AHEAD * SLOTS) {
    int token[AHEAD];
    uint4 chunks[AHEAD];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      int row = at + u * SLOTS + threadIdx.x / ROW_CHUNKS;
      token[u] = row < end ? tokenAt[row] : -1;
    }
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      chunks[u] = make_uint4(0, 0, 0, 0);
      if (token[u] >= 0) {
        chunks[u] = *reinterpret_cast<const uint4*>(from + token[u] * xToken + chunk * 8);
      }
    }
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      bool valid = token[u] >= 0;
      float values[8];
      unpack(chunks[u], values);
      float factor = 1;
      if (!euclidean) {
        float square = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) square += values[i] * values[i];
        factor = 1 / fmaxf(sqrtf(sumOverRow(square)), SHORTEST);
      }
      float away = 0;
#pragma unroll
      for (int i = 0; i < 8; i++) {
        float value = values[i] * factor;
        float difference = value - old[i];
        away += difference * difference;
        // Sums of differences from the old centroid keep their digits where keys share an offset.
        if (valid) sum[i] += euclidean ? difference : value;
      }
      away = sumOverRow(away);
      if (valid && away > distance) {
        distance = away;
        farthest = token[u];
      }
    }
  }
  float total = overSlots(sum, scratch.slots);
  float moved = 0;
  float square = 0;
  if (threadIdx.x < HEAD_DIM) {
    moved = euclidean ? centroid[threadIdx.x] + total / max(1, end - begin) : total;
    square = total * total;
  }
  for (int i = 16; i > 0; i >>= 1) square += __shfl_xor_sync(0xffffffffu, square, i);
  if ((threadIdx.x & 31) == 0) scratch.warpSums[threadIdx.x >> 5] = square;
  __syncthreads();
  if (threadIdx.x < HEAD_DIM && end > begin) {
    float length = 0;
    for (int w = 0; w < HEAD_DIM / 32; w++) length += scratch.warpSums[w];
    length = sqrtf(length);
    if (euclidean) {
      centroid[threadIdx.x] = moved;
    } else if (length > SHORTEST) {
      centroid[threadIdx.x] = moved / length;
    }
  }
  writeFarthest(distance, farthest, scratch.slots, farDistance, farToken, (i64)h * C + j);
}

// Moves centroids to the mean of their tokens, on the unit sphere for angles. Empty clusters and
// those without a direction keep theirs.
//
// grid (C, heads), block 256, no dynamic shared memory
//   x            view [heads][tokens][D] of all tokens that order counts
//   order        int [heads][tokens], offsets int [heads][K + 1], of the sort
//   euclidean    as in prepare_centroids
//   centroids    float [heads][C][D], in and out
//   farDistance  float [heads][C] and farToken int [heads][C]: the token of each cluster that is
//                farthest from the old centroid, for reseed; -1 if empty
extern "C" __global__ void __launch_bounds__(256)
update_centroids(const T* x, i64 xBatch, i64 xHead, i64 xToken, int perBatch, int tokens,
                 const int* order, const int* offsets, int K, int euclidean, int C,
                 float* centroids, float* farDistance, int* farToken) {
  __shared__ __align__(16) UpdateScratch scratch;
  updateCentroid(scratch, blockIdx.x, x, xBatch, xHead, xToken, perBatch, tokens, order, offsets, K,
                 euclidean, C, centroids, farDistance, farToken);
}

template <bool EXTREMES>
__device__ __forceinline__ void updateKeys(
    UpdateScratch& scratch, int j, const T* k, i64 kBatch, i64 kHead, i64 kToken, const T* v,
    i64 vBatch, i64 vHead, i64 vToken, int perBatch, int tokens, const int* order,
    const int* offsets, const int* blockStarts, const float* center, int C, int K, int KP,
    float* centroids, i64 blocks, T* keyBlocks, T* valueBlocks, T* tailKeys, T* tailValues,
    float* logSizes, T* variances, T* extremes, float* farDistance, int* farToken) {
  int h = blockIdx.y;
  const T* keys = k + Rows{kBatch, kHead, kToken, perBatch}.at(h);
  const T* values = v + Rows{vBatch, vHead, vToken, perBatch}.at(h);
  bool real = j < K;
  int begin = real ? offsets[(i64)h * (K + 1) + j] : 0;
  int size = real ? offsets[(i64)h * (K + 1) + j + 1] - begin : 0;
  i64 block = (i64)h * blocks + blockStarts[(i64)h * (KP + 1) + j];
  char* keyImage = reinterpret_cast<char*>(keyBlocks) + block * BLOCK_BYTES;
  char* valueImage = reinterpret_cast<char*>(valueBlocks) + block * BLOCK_BYTES;
  float* centroid = j < C ? centroids + ((i64)h * C + j) * HEAD_DIM : nullptr;
  const float* mean = center + (i64)h * HEAD_DIM;
  const float* shift = j < C ? centroid : mean;
  int chunk = threadIdx.x % ROW_CHUNKS;
  float old[8];
  float sum[8] = {};
  float squares[8] = {};
  float valueSum[8] = {};
  float largest[8];
  float smallest[8];
  float distance = -1;
  int farthest = -1;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    old[i] = shift[chunk * 8 + i];
    largest[i] = MINUS_INFINITY;
    smallest[i] = -MINUS_INFINITY;
  }
  int padded = (size + 7) & ~7;
  const int* tokenAt = order + (i64)h * tokens + begin;
  constexpr int AHEAD = 2; // rows of a thread in flight
  for (int at = 0; at < padded; at += AHEAD * SLOTS) {
    int token[AHEAD];
    uint4 keyChunk[AHEAD];
    uint4 valueChunk[AHEAD];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      int row = at + u * SLOTS + threadIdx.x / ROW_CHUNKS;
      token[u] = row < size ? tokenAt[row] : -1;
    }
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      keyChunk[u] = valueChunk[u] = make_uint4(0, 0, 0, 0);
      if (token[u] >= 0) {
        keyChunk[u] = *reinterpret_cast<const uint4*>(keys + token[u] * kToken + chunk * 8);
        valueChunk[u] = *reinterpret_cast<const uint4*>(values + token[u] * vToken + chunk * 8);
      }
    }
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      int row = at + u * SLOTS + threadIdx.x / ROW_CHUNKS;
      if (row < padded) {
        *reinterpret_cast<uint4*>(keyImage + imageOffset(row, chunk)) = keyChunk[u];
        *reinterpret_cast<uint4*>(valueImage + imageOffset(row, chunk)) = valueChunk[u];
      }
      float key[8];
      float value[8];
      unpack(keyChunk[u], key);
      unpack(valueChunk[u], value);
      bool valid = token[u] >= 0;
      float away = 0;
#pragma unroll
      for (int i = 0; i < 8; i++) {
        float difference = key[i] - old[i];
        away += difference * difference;
        if (valid) {
          sum[i] += difference;
          squares[i] += difference * difference;
          valueSum[i] += value[i];
          if (EXTREMES) {
            largest[i] = fmaxf(largest[i], key[i]);
            smallest[i] = fminf(smallest[i], key[i]);
          }
        }
      }
      away = sumOverRow(away);
      if (valid && away > distance) {
        distance = away;
        farthest = token[u];
      }
    }
  }
  int column = threadIdx.x;
  float n = max(1, size);
  reduceWarp(ADD, sum, scratch.parts[0]);
  reduceWarp(ADD, squares, scratch.parts[1]);
  reduceWarp(ADD, valueSum, scratch.parts[2]);
  if (EXTREMES) {
    reduceWarp(LARGEST, largest, scratch.parts[3]);
    reduceWarp(SMALLEST, smallest, scratch.parts[4]);
  }
  __syncthreads();
  if (column < HEAD_DIM) {
    float moved = reduceColumn(ADD, scratch.parts[0], column) / n;
    float spread = reduceColumn(ADD, scratch.parts[1], column) / n;
    float meanValue = reduceColumn(ADD, scratch.parts[2], column) / n;
    float before = shift[column];
    float middle = mean[column];
    u32 inRow = imageOffset(j, column >> 3) + (column & 7) * 2;
    char* tailKey = reinterpret_cast<char*>(tailKeys) + (i64)h * (KP + 8) * ROW_BYTES;
    char* tailValue = reinterpret_cast<char*>(tailValues) + (i64)h * (KP + 8) * ROW_BYTES;
    T zero = toElement(0);
    if (j == 0) {
      T high = toElement(middle);
      T low = toElement(middle - static_cast<float>(high));
      for (int row = 0; row < 8; row++) {
        u32 place = imageOffset(row, column >> 3) + (column & 7) * 2;
        *reinterpret_cast<T*>(tailKey + place) = row == 0 ? high : row == 1 ? low : zero;
        *reinterpret_cast<T*>(tailValue + place) = zero;
      }
    }
    bool full = size > 0;
    *reinterpret_cast<T*>(tailKey + BLOCK_BYTES + inRow) =
        full ? toElement(before + moved - middle) : zero;
    *reinterpret_cast<T*>(tailValue + BLOCK_BYTES + inRow) = toElement(meanValue);
    *reinterpret_cast<T*>(reinterpret_cast<char*>(variances) + (i64)h * KP * ROW_BYTES + inRow) =
        toElement(fmaxf(0, spread - moved * moved));
    if (centroid != nullptr && full) centroid[column] = before + moved;
    if (column == 0) logSizes[(i64)h * KP + j] = full ? logf((float)size) : MINUS_INFINITY;
  }
  if (EXTREMES) {
    if (column < HEAD_DIM) {
      float top = reduceColumn(LARGEST, scratch.parts[3], column);
      float bottom = reduceColumn(SMALLEST, scratch.parts[4], column);
      T* out = extremes + ((i64)h * 2 * KP + j) * HEAD_DIM + column;
      out[0] = toElement(size > 0 ? top - mean[column] : 0);
      out[(i64)KP * HEAD_DIM] = toElement(size > 0 ? bottom - mean[column] : 0);
    }
  }
  if (j < C) {
    writeFarthest(distance, farthest, scratch.parts[0], farDistance, farToken, (i64)h * C + j);
  }
}

// The last update of both sides: of queries as update_centroids does it, and beside it that of keys
// with all that later kernels read of keys and values: rows in sorted order as block images, every
// cluster starting on a block, rows of zeros behind its last; the clusters as pseudo-keys; their
// spread.
//
// grid (CQ + KP, heads), block 256, no dynamic shared memory
//   x .. farTokenQ            as in update_centroids, of queries; CQ is 0 if they stay as they are
//   k, v         views [heads][tokens][D]
//   order, offsets, blockStarts  of the sort of keys
//   center       float [heads][D] of prepare_centroids
//   centroids    float [heads][C][D], in and out; a row for text (j = C) is not there
//   blocks       blocks that a head has room for, at least tokens / 8 + K
//   keyBlocks, valueBlocks    T [heads][blocks][8 D], block images
//   tailKeys, tailValues      T [heads][KP / 8 + 1][8 D], block images: block 0 holds the center as
//                a sum of two rows (and 6 rows of zeros; all zeros for values), then follow, per
//                cluster, mean key - center and mean value
//   logSizes     float [heads][KP]: natural logarithm of a cluster's size, -inf if empty
//   variances    T [heads][KP / 8][8 D], block images: variance of the keys of each cluster
//   extremes     T [heads][2][KP][D] or null: largest, then smallest key in every dimension, minus
//                center; zero for an empty cluster
//   farDistance, farToken     as in update_centroids
extern "C" __global__ void __launch_bounds__(256, 4)
update_both(const T* x, i64 xBatch, i64 xHead, i64 xToken, const int* orderQ,
            const int* offsetsQ, int KQ, int euclideanQ, int CQ, float* centroidsQ,
            float* farDistanceQ, int* farTokenQ, const T* k, i64 kBatch, i64 kHead,
            i64 kToken, const T* v, i64 vBatch, i64 vHead, i64 vToken, int perBatch,
            int tokens, const int* order, const int* offsets, const int* blockStarts,
            const float* center, int C, int K, int KP, float* centroids, i64 blocks,
            T* keyBlocks, T* valueBlocks, T* tailKeys, T* tailValues, float* logSizes,
            T* variances, T* extremes, float* farDistance, int* farToken) {
  __shared__ __align__(16) UpdateScratch scratch;
  if ((int)blockIdx.x < CQ) {
    updateCentroid(scratch, blockIdx.x, x, xBatch, xHead, xToken, perBatch, tokens, orderQ, offsetsQ,
                   KQ, euclideanQ, CQ, centroidsQ, farDistanceQ, farTokenQ);
  } else {
    updateKeys<false>(scratch, blockIdx.x - CQ, k, kBatch, kHead, kToken, v, vBatch, vHead, vToken,
                      perBatch, tokens, order, offsets, blockStarts, center, C, K, KP, centroids,
                      blocks, keyBlocks, valueBlocks, tailKeys, tailValues, logSizes, variances,
                      extremes, farDistance, farToken);
  }
}

// The same with extremes, which take registers.
extern "C" __global__ void __launch_bounds__(256, 2)
update_both_extremes(const T* x, i64 xBatch, i64 xHead, i64 xToken, const int* orderQ,
                     const int* offsetsQ, int KQ, int euclideanQ, int CQ, float* centroidsQ,
                     float* farDistanceQ, int* farTokenQ, const T* k, i64 kBatch, i64 kHead,
                     i64 kToken, const T* v, i64 vBatch, i64 vHead, i64 vToken, int perBatch,
                     int tokens, const int* order, const int* offsets, const int* blockStarts,
                     const float* center, int C, int K, int KP, float* centroids, i64 blocks,
                     T* keyBlocks, T* valueBlocks, T* tailKeys, T* tailValues, float* logSizes,
                     T* variances, T* extremes, float* farDistance, int* farToken) {
  __shared__ __align__(16) UpdateScratch scratch;
  if ((int)blockIdx.x < CQ) {
    updateCentroid(scratch, blockIdx.x, x, xBatch, xHead, xToken, perBatch, tokens, orderQ, offsetsQ,
                   KQ, euclideanQ, CQ, centroidsQ, farDistanceQ, farTokenQ);
  } else {
    updateKeys<true>(scratch, blockIdx.x - CQ, k, kBatch, kHead, kToken, v, vBatch, vHead, vToken,
                      perBatch, tokens, order, offsets, blockStarts, center, C, K, KP, centroids,
                      blocks, keyBlocks, valueBlocks, tailKeys, tailValues, logSizes, variances,
                      extremes, farDistance, farToken);
  }
}

// Gives centroids without tokens a token that lies far from its own centroid, in a cluster of at
// least twice the mean size, at most one of each such cluster: farthest first, lower token first.
//
// grid (heads, sides), block 256, no dynamic shared memory; arguments of a second side behind those
// of the first
//   farDistance  float [heads][C], used up; farToken int [heads][C]
extern "C" __global__ void __launch_bounds__(256)
reseed(int perBatch, int tokens, const T* x, i64 xBatch, i64 xHead, i64 xToken, const int* offsets,
       int K, int euclidean, int C, float* centroids, float* farDistance, const int* farToken,
       const T* x2, i64 xBatch2, i64 xHead2, i64 xToken2, const int* offsets2, int K2,
       int euclidean2, int C2, float* centroids2, float* farDistance2, const int* farToken2) {
  if (blockIdx.y == 1) {
    x = x2;
    xBatch = xBatch2;
    xHead = xHead2;
    xToken = xToken2;
    offsets = offsets2;
    K = K2;
    euclidean = euclidean2;
    C = C2;
    centroids = centroids2;
    farDistance = farDistance2;
    farToken = farToken2;
  }
  __shared__ float bests[256];
  __shared__ int owners[256];
  __shared__ float lengthOf;
  int h = blockIdx.x;
  const T* from = x + Rows{xBatch, xHead, xToken, perBatch}.at(h);
  const int* starts = offsets + (i64)h * (K + 1);
  float* distances = farDistance + (i64)h * C;
  bool any = false;
  for (int j = threadIdx.x; j < C; j += 256) any |= starts[j + 1] <= starts[j];
  if (!__syncthreads_or(any)) return;
  for (int empty = 0; empty < C; empty++) {
    if (starts[empty + 1] > starts[empty]) continue;
    float best = 0;
    int owner = -1;
    for (int j = threadIdx.x; j < C; j += 256) {
      if ((i64)(starts[j + 1] - starts[j]) * C >= 2LL * tokens && distances[j] > best) {
        best = distances[j];
        owner = j;
      }
    }
    bests[threadIdx.x] = best;
    owners[threadIdx.x] = owner;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int i = 1; i < 256; i++) {
        if (owners[i] >= 0 &&
            (owner < 0 || bests[i] > best ||
             (bests[i] == best && farToken[(i64)h * C + owners[i]] < farToken[(i64)h * C + owner]))) {
          best = bests[i];
          owner = owners[i];
        }
      }
      owners[0] = owner;
      if (owner >= 0) {
        distances[owner] = -1;
        const T* row = from + farToken[(i64)h * C + owner] * xToken;
        float square = 0;
        for (int i = 0; i < HEAD_DIM; i++) square += static_cast<float>(row[i]) * static_cast<float>(row[i]);
        lengthOf = euclidean ? 1 : fmaxf(sqrtf(square), SHORTEST);
      }
    }
    __syncthreads();
    owner = owners[0];
    if (owner < 0) return;
    if (threadIdx.x < HEAD_DIM) {
      centroids[((i64)h * C + empty) * HEAD_DIM + threadIdx.x] =
          static_cast<float>(from[farToken[(i64)h * C + owner] * xToken + threadIdx.x]) / lengthOf;
    }
    __syncthreads();
  }
}

// Starting centroids: tokens spread over the sequence by the golden ratio, as the processor's
// KMeans.seeds takes them.
//
// grid (C, heads), block D, no dynamic shared memory
//   starts  double [heads], each in [0, 1): where a head's sequence of places starts
extern "C" __global__ void
seed_centroids(const T* x, i64 xBatch, i64 xHead, i64 xToken, int perBatch, int tokens,
               const double* starts, int euclidean, int C, float* centroids) {
  __shared__ float warpSums[4];
  int h = blockIdx.y;
  int j = blockIdx.x;
  double place = starts[h] + j * 0.6180339887498949;
  int token = min(tokens - 1, (int)((place - floor(place)) * tokens));
  const T* from = x + Rows{xBatch, xHead, xToken, perBatch}.at(h);
  float value = static_cast<float>(from[token * xToken + threadIdx.x]);
  float square = value * value;
  for (int i = 16; i > 0; i >>= 1) square += __shfl_xor_sync(0xffffffffu, square, i);
  if ((threadIdx.x & 31) == 0) warpSums[threadIdx.x >> 5] = square;
  __syncthreads();
  float length = 0;
  for (int w = 0; w < HEAD_DIM / 32; w++) length += warpSums[w];
  centroids[((i64)h * C + j) * HEAD_DIM + threadIdx.x] =
      euclidean ? value : value / fmaxf(sqrtf(length), SHORTEST);
}
