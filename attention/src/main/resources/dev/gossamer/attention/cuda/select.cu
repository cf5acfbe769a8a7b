// From clusters to work: query groups, scores of key clusters and their selection, work items of
// the attention. Nothing of it is read by the host.
//
// Runs on sm_80 and later. Sizes as in kmeans.cu; besides
//   KQ         clusters of queries, text's included
//   groups     bound on the query groups of a head, at least ceil(tokens / most) + KQ
//   words      KP / 32
// A selection is a bitmap: bit j % 32 of word j / 32 says whether a group attends to key cluster j.
// (A row of 1,024 clusters takes 128 bytes; as a list it would take up to 4 KB.)
#include "common.cuh"

// Ranges of sorted queries that share a selection: every cluster that is not empty in the fewest
// equal parts of at most `most` queries; or, across clusters, `most` queries after the other, which
// fills every tile of the attention. Text is always apart.
//
// grid (heads), block 1024, no dynamic shared memory
//   queryOffsets  int [heads][KQ + 1], of the sort of queries
//   across        1: without regard to clusters
//   text          as in score_queries
//   groupStarts   int [heads][groups + 1]: first sorted position of each group; those behind the
//                 last group are the number of tokens
//   groupCounts   int [heads]
extern "C" __global__ void __launch_bounds__(1024)
make_groups(const int* queryOffsets, int KQ, int most, int across, int text, int groups,
            int* groupStarts, int* groupCounts) {
  __shared__ int scratch[33];
  int h = blockIdx.x;
  const int* offsets = queryOffsets + (i64)h * (KQ + 1);
  int* starts = groupStarts + (i64)h * (groups + 1);
  int before = 0;
  if (across) {
    int end = text ? offsets[KQ - 1] : offsets[KQ];
    int parts = (end + most - 1) / most;
    int textParts = (offsets[KQ] - end + most - 1) / most;
    before = parts + textParts;
    for (int i = threadIdx.x; i < before; i += 1024) {
      starts[i] = i < parts ? i * most : end + (i - parts) * most;
    }
  }
  for (int base = 0; base < KQ && !across; base += 1024) {
    int j = base + threadIdx.x;
    int start = j < KQ ? offsets[j] : 0;
    int size = j < KQ ? offsets[j + 1] - start : 0;
    int parts = (int)(((i64)size + most - 1) / most);
    int total;
    int at = before + blockPrefix(parts, scratch, total);
    for (int part = 0; part < parts; part++) {
      starts[at + part] = start + (int)((i64)size * part / parts);
    }
    before += total;
  }
  for (int i = before + threadIdx.x; i <= groups; i += 1024) starts[i] = offsets[KQ];
  if (threadIdx.x == 0) groupCounts[h] = before;
}

// ---- selection ------------------------------------------------------------------------------

// How far down the ranking a group goes.
constexpr int RULE_BUDGET = 0;     // until the clusters hold `limit` of all keys
constexpr int RULE_TOP = 1;        // `limit` clusters
constexpr int RULE_TOP_SHARE = 2;  // `limit` of the clusters that are not empty
constexpr int RULE_MASS = 3;       // until the mass is `limit`, and at least `least` of the clusters

struct Rule {
  int kind;
  double limit;
  double least;
  float errorTarget; // stop before if no more error is expected of what is left out; 0: never
};

__device__ __forceinline__ u64 rank(float score, int cluster) {
  u32 bits = __float_as_uint(score);
  u32 ordered = score != score ? 0xffffffffu // a NaN shows in the output instead of hiding
                : bits >> 31   ? ~bits
                               : bits | 0x80000000u;
  return ((u64)ordered << 32) | (0xffffffffu - cluster);
}

// Selects clusters of one group; all 256 threads of the block call.
//   scores, masses, errors  in shared memory, by cluster; errors: expected error of the whole
//                           cluster, read if there is a target
//   keys                    scratch of `places` numbers, a power of two, at least K and 256
//   bits                    scratch of KP / 32 words
__device__ void selectRow(const Rule& rule, const float* scores, const float* masses,
                          const float* errors, const int* offsets, int K, int KP, int text,
                          int tokens, u64* keys, int places, u32* bits, u32* selection,
                          int* groupBlocks, int* groupKeys) {
  __shared__ int intScratch[33];
  __shared__ float floatScratch[33];
  int candidates = 0;
  float expected = 0;
  for (int j = threadIdx.x; j < places; j += 256) {
    bool candidate = j < K - text && offsets[j + 1] > offsets[j];
    keys[j] = candidate ? rank(scores[j], j) : (u64)(0xffffffffu - j);
    candidates += candidate;
  }
  for (int w = threadIdx.x; w < KP / 32; w += 256) bits[w] = 0;
  int total;
  blockPrefix(candidates, intScratch, total);
  candidates = total;
  for (int size = 2; size <= places; size <<= 1) {
    for (int stride = size >> 1; stride > 0; stride >>= 1) {
      __syncthreads();
      for (int i = threadIdx.x; i < places / 2; i += 256) {
        int low = 2 * i - (i & (stride - 1));
        u64 a = keys[low];
        u64 b = keys[low + stride];
        bool descending = (low & size) == 0;
        if ((a < b) == descending) {
          keys[low] = b;
          keys[low + stride] = a;
        }
      }
    }
  }
  __syncthreads();
  int each = places / 256;
  int mySize = 0;
  float myMass = 0;
  float myError = 0;
  bool targets = rule.errorTarget > 0;
  bool byMass = rule.kind == RULE_MASS;
  for (int e = 0; e < each; e++) {
    u64 key = keys[threadIdx.x * each + e];
    if (key >> 32) {
      int j = 0xffffffffu - (u32)key;
      mySize += offsets[j + 1] - offsets[j];
      if (byMass) myMass += masses[j];
      if (targets) myError += errors[j];
    }
  }
  int sizeBefore = blockPrefix(mySize, intScratch, total);
  float massBefore = 0;
  float errorBefore = 0;
  if (byMass) massBefore = blockPrefix(myMass, floatScratch, expected);
  if (targets) errorBefore = blockPrefix(myError, floatScratch, expected);
  int wanted = rule.kind == RULE_BUDGET      ? (int)floor(rule.limit * tokens + 0.5)
               : rule.kind == RULE_TOP       ? (int)rule.limit
               : rule.kind == RULE_TOP_SHARE ? max(1, (int)floor(rule.limit * candidates + 0.5))
                                             : (int)floor(rule.least * candidates + 0.5);
  for (int e = 0; e < each; e++) {
    int place = threadIdx.x * each + e;
    u64 key = keys[place];
    if (!(key >> 32)) break;
    int j = 0xffffffffu - (u32)key;
    bool more = rule.kind == RULE_BUDGET ? sizeBefore < wanted : place < wanted;
    if (byMass) more = more || massBefore < rule.limit;
    if (targets) more = more && !(expected - errorBefore <= rule.errorTarget);
    if (place == 0 || more) atomicOr(&bits[j >> 5], 1u << (j & 31));
    sizeBefore += offsets[j + 1] - offsets[j];
    if (byMass) massBefore += masses[j];
    if (targets) errorBefore += errors[j];
  }
  __syncthreads();
  if (threadIdx.x == 0 && text) bits[(K - 1) >> 5] |= 1u << ((K - 1) & 31);
  __syncthreads();
  int blocks = 0;
  int rows = 0;
  for (int j = threadIdx.x; j < K; j += 256) {
    if (bits[j >> 5] >> (j & 31) & 1) {
      int size = offsets[j + 1] - offsets[j];
      rows += size;
      blocks += (size + 7) / 8;
    }
  }
  for (int w = threadIdx.x; w < KP / 32; w += 256) selection[w] = bits[w];
  blockPrefix(blocks, intScratch, total);
  if (threadIdx.x == 0) *groupBlocks = total;
  blockPrefix(rows, intScratch, total);
  if (threadIdx.x == 0) *groupKeys = total;
}

// Everything that is not empty, for groups of text.
__device__ void selectAll(const int* offsets, int K, int KP, u32* selection, int* groupBlocks,
                          int* groupKeys) {
  __shared__ int scratch[33];
  int blocks = 0;
  for (int w = threadIdx.x; w < KP / 32; w += 256) {
    u32 word = 0;
    for (int i = 0; i < 32 && w * 32 + i < K; i++) {
      int size = offsets[w * 32 + i + 1] - offsets[w * 32 + i];
      if (size > 0) word |= 1u << i;
      blocks += (size + 7) / 8;
    }
    selection[w] = word;
  }
  int total;
  blockPrefix(blocks, scratch, total);
  if (threadIdx.x == 0) {
    *groupBlocks = total;
    *groupKeys = offsets[K];
  }
}

// ---- query mass and expected error ----------------------------------------------------------

// Clusters are the rows of a product and queries its columns. Clusters come straight from memory: a
// lane takes whole chunks of 8 columns, whose pairs count as columns of the product in another
// order; queries are laid into shared memory in that order, so that the sums are the same.
constexpr int SPANS = HEAD_DIM / 32;
constexpr int SAMPLES = 16; // queries of a group that speak for it, in one pass
constexpr float LOG2_E = 1.4426950408889634f;
constexpr int SCORER_EXPECTED_ERROR = 1;

// 16 clusters of a block image, as left operand.
__device__ __forceinline__ void leftClusters(u32 (&a)[2 * SPANS][4], const char* image) {
  int lane = threadIdx.x & 31;
#pragma unroll
  for (int i = 0; i < SPANS; i++) {
    u32 place = imageOffset(lane >> 2, 4 * i + (lane & 3));
    uint4 x = __ldg(reinterpret_cast<const uint4*>(image + place));
    uint4 y = __ldg(reinterpret_cast<const uint4*>(image + BLOCK_BYTES + place));
    a[2 * i][0] = x.x; a[2 * i][1] = y.x; a[2 * i][2] = x.y; a[2 * i][3] = y.y;
    a[2 * i + 1][0] = x.z; a[2 * i + 1][1] = y.z; a[2 * i + 1][2] = x.w; a[2 * i + 1][3] = y.w;
  }
}

// Where pair e (0-3) of a row's chunk goes, so that columns meet those of leftClusters.
__device__ __forceinline__ u32 columnPlace(u32 row, u32 chunk, u32 e) {
  return imageOffset(row, 4 * (chunk >> 2) + e) + 4 * (chunk & 3);
}

// Scores key clusters by query mass or expected error and selects. A block looks after `together`
// groups; of each, 16 evenly spaced queries a pass speak for it. W = their mean softmax over
// clusters of scale q.c + log n; v = scale^2 sum_t mean(q_t^2) var_t(k) with the mean over all
// queries of the group; score W or W v / n.
//
// grid (ceil(groups / together), heads), block 256, dynamic shared memory
//   together * (16 * ROW_BYTES + 8 KP) + 16 * ROW_BYTES + 8 places + 4 KP + 4 words bytes,
//   places = the power of two that is at least K and 256; together is 1, 2, 4 or 8: the largest
//   with which two blocks fit a multiprocessor (8 on Hopper up to 1,024 clusters), else that fits
//   q              view [heads][tokens][D]
//   queryOrder     int [heads][tokens], of the sort of queries
//   groupStarts, groupCounts, groups   of make_groups
//   queryOffsets   int [heads][KQ + 1]
//   text           1 if the last cluster of both sides is protected text: its queries select
//                  everything, its keys are always selected; else 0
//   tailKeys, logSizes, variances      of update_keys
//   keyOffsets     int [heads][K + 1]
//   scale          of logits, 1 / sqrt(D) as a rule
//   passes         16 queries each, >= 1
//   scorer         0 query mass, 1 expected error
//   rule, limit, least, errorTarget    of struct Rule
//   selection      u32 [heads][groups][words]
//   groupBlocks    int [heads][groups]: blocks of 8 rows that a group attends to
//   groupKeys      int [heads][groups]: keys that a group attends to
// Entries of groups behind groupCounts are not written.
extern "C" __global__ void __launch_bounds__(256, 2)
score_queries(const T* q, i64 qBatch, i64 qHead, i64 qToken, int perBatch, int tokens,
              const int* queryOrder, const int* groupStarts, const int* groupCounts, int groups,
              int together, const int* queryOffsets, int KQ, int text, const T* tailKeys,
              const float* logSizes, const T* variances, const int* keyOffsets, int K, int KP,
              float scale, int passes, int scorer, int rule, double limit, double least,
              float errorTarget, u32* selection, int* groupBlocks, int* groupKeys) {
  constexpr int MOST = 8;
  extern __shared__ __align__(128) char memory[];
  __shared__ float scratch[SLOTS * HEAD_DIM];
  __shared__ float partMax[8][MOST * SAMPLES];
  __shared__ float partSum[8][MOST * SAMPLES];
  __shared__ float logs[MOST * SAMPLES];
  int places = 256;
  while (places < K) places <<= 1;
  char* samples = memory;                                                  // [together * 16] rows
  char* squares = samples + together * SAMPLES * ROW_BYTES;                // [16] rows
  u64* keys = reinterpret_cast<u64*>(squares + SAMPLES * ROW_BYTES);       // [places]
  float* weights = reinterpret_cast<float*>(keys + places);                // [together][KP]
  float* errors = weights + together * KP;                                 // [together][KP]
  float* scores = errors + together * KP;                                  // [KP]
  u32* bits = reinterpret_cast<u32*>(scores + KP);
  int h = blockIdx.y;
  int firstGroup = blockIdx.x * together;
  int count = min(together, groupCounts[h] - firstGroup);
  if (count <= 0) return;
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  const T* queries = q + Rows{qBatch, qHead, qToken, perBatch}.at(h);
  const int* order = queryOrder + (i64)h * tokens;
  const int* starts = groupStarts + (i64)h * (groups + 1) + firstGroup;
  const int* offsets = keyOffsets + (i64)h * (K + 1);
  const float* logSize = logSizes + (i64)h * KP;
  int textStart = text ? queryOffsets[(i64)h * (KQ + 1) + KQ - 1] : tokens;
  bool needsError = scorer == SCORER_EXPECTED_ERROR || errorTarget > 0;
  for (int i = threadIdx.x; i < SAMPLES * ROW_BYTES / 4; i += 256) {
    reinterpret_cast<u32*>(squares)[i] = 0;
  }
  for (int g = 0; g < count && needsError; g++) {
    float sum[8] = {};
    int start = starts[g];
    int size = starts[g + 1] - start;
    int chunk = threadIdx.x % ROW_CHUNKS;
    constexpr int AHEAD = 4; // rows of a thread in flight
    for (int row = threadIdx.x / ROW_CHUNKS; row < size; row += AHEAD * SLOTS) {
      int token[AHEAD];
      uint4 x[AHEAD];
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        token[u] = row + u * SLOTS < size ? order[start + row + u * SLOTS] : -1;
      }
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        x[u] = make_uint4(0, 0, 0, 0);
        if (token[u] >= 0) {
          x[u] = *reinterpret_cast<const uint4*>(queries + token[u] * qToken + chunk * 8);
        }
      }
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        float values[8];
        unpack(x[u], values);
#pragma unroll
        for (int i = 0; i < 8; i++) sum[i] += values[i] * values[i];
      }
    }
    float total = overSlots(sum, scratch);
    if (threadIdx.x < HEAD_DIM) {
      int column = threadIdx.x;
      *reinterpret_cast<T*>(squares + columnPlace(g, column >> 3, column >> 1 & 3) +
                            2 * (column & 1)) = toElement(total / size * scale * scale);
    }
  }
  for (int j = threadIdx.x; j < count * KP; j += 256) weights[j] = 0;

  const char* points = reinterpret_cast<const char*>(tailKeys) + (i64)h * (KP + 8) * ROW_BYTES +
                       BLOCK_BYTES;
  const char* spread = reinterpret_cast<const char*>(variances) + (i64)h * KP * ROW_BYTES;
  u32 right = sharedAddress(samples);
  float factor = scale * LOG2_E;
  for (int pass = 0; pass < passes; pass++) {
    constexpr int AHEAD = 4; // chunks of a thread in flight
    int all = count * SAMPLES * ROW_CHUNKS;
    for (int base = threadIdx.x; base < all; base += AHEAD * 256) {
      uint4 x[AHEAD];
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        int i = min(base + u * 256, all - 1);
        int row = i / ROW_CHUNKS;
        int start = starts[row / SAMPLES];
        i64 size = starts[row / SAMPLES + 1] - start;
        i64 sample = pass * SAMPLES + row % SAMPLES;
        int at = start + (int)((2 * sample + 1) * size / (2 * SAMPLES * passes));
        x[u] = *reinterpret_cast<const uint4*>(queries + order[at] * qToken + i % ROW_CHUNKS * 8);
      }
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        int i = min(base + u * 256, all - 1);
        int row = i / ROW_CHUNKS;
        int chunk = i % ROW_CHUNKS;
        *reinterpret_cast<u32*>(samples + columnPlace(row, chunk, 0)) = x[u].x;
        *reinterpret_cast<u32*>(samples + columnPlace(row, chunk, 1)) = x[u].y;
        *reinterpret_cast<u32*>(samples + columnPlace(row, chunk, 2)) = x[u].z;
        *reinterpret_cast<u32*>(samples + columnPlace(row, chunk, 3)) = x[u].w;
      }
    }
    __syncthreads();
    // A thread holds 4 columns of every group (2 of each 8) and 2 rows of a tile of 16 clusters.
    float top[MOST][4];
    float sum[MOST][4];
#pragma unroll
    for (int g = 0; g < MOST; g++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        top[g][c] = -1e30f;
        sum[g][c] = 0;
      }
    }
    for (int tile = warp; tile < KP / 16; tile += 8) {
      u32 a[2 * SPANS][4];
      leftClusters(a, points + (i64)tile * 2 * BLOCK_BYTES);
      float low = logSize[tile * 16 + (lane >> 2)] * LOG2_E;
      float high = logSize[tile * 16 + 8 + (lane >> 2)] * LOG2_E;
#pragma unroll
      for (int g = 0; g < MOST; g++) {
        if (g >= count) break;
        float s[2][4] = {};
#pragma unroll
        for (int k = 0; k < 2 * SPANS; k++) {
          u32 b[4];
          rightFragments(b, right, g * SAMPLES, k);
          multiply(s[0], a[k], b[0], b[1]);
          multiply(s[1], a[k], b[2], b[3]);
        }
#pragma unroll
        for (int c = 0; c < 4; c++) {
          float x = s[c >> 1][c & 1] * factor + low;
          float y = s[c >> 1][2 + (c & 1)] * factor + high;
          float higher = fmaxf(top[g][c], fmaxf(x, y));
          if (higher > top[g][c]) { // seldom, after the first tiles
            sum[g][c] *= exp2Fast(top[g][c] - higher);
            top[g][c] = higher;
          }
          sum[g][c] += exp2Fast(x - higher) + exp2Fast(y - higher);
        }
      }
    }
#pragma unroll
    for (int g = 0; g < MOST; g++) {
      if (g >= count) break;
#pragma unroll
      for (int c = 0; c < 4; c++) {
        float m = top[g][c];
#pragma unroll
        for (int i = 4; i < 32; i <<= 1) m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, i));
        float l = sum[g][c] * exp2Fast(top[g][c] - m);
#pragma unroll
        for (int i = 4; i < 32; i <<= 1) l += __shfl_xor_sync(0xffffffffu, l, i);
        if (lane < 4) {
          int column = g * SAMPLES + (c >> 1) * 8 + 2 * lane + (c & 1);
          partMax[warp][column] = m;
          partSum[warp][column] = l;
        }
      }
    }
    __syncthreads();
    if (threadIdx.x < count * SAMPLES) {
      float m = partMax[0][threadIdx.x];
      for (int w = 1; w < 8; w++) m = fmaxf(m, partMax[w][threadIdx.x]);
      float l = 0;
      for (int w = 0; w < 8; w++) l += partSum[w][threadIdx.x] * exp2Fast(partMax[w][threadIdx.x] - m);
      logs[threadIdx.x] = m + log2f(l);
    }
    __syncthreads();
    for (int tile = warp; tile < KP / 16; tile += 8) {
      u32 a[2 * SPANS][4];
      leftClusters(a, points + (i64)tile * 2 * BLOCK_BYTES);
      int row = tile * 16 + (lane >> 2);
      float low = logSize[row] * LOG2_E;
      float high = logSize[row + 8] * LOG2_E;
      for (int g = 0; g < count; g++) {
        float s[2][4] = {};
#pragma unroll
        for (int k = 0; k < 2 * SPANS; k++) {
          u32 b[4];
          rightFragments(b, right, g * SAMPLES, k);
          multiply(s[0], a[k], b[0], b[1]);
          multiply(s[1], a[k], b[2], b[3]);
        }
        float first = 0;
        float second = 0;
#pragma unroll
        for (int n = 0; n < 2; n++) {
          float2 log = *reinterpret_cast<const float2*>(logs + g * SAMPLES + n * 8 + 2 * (lane & 3));
          first += exp2Fast(s[n][0] * factor + low - log.x) +
                   exp2Fast(s[n][1] * factor + low - log.y);
          second += exp2Fast(s[n][2] * factor + high - log.x) +
                    exp2Fast(s[n][3] * factor + high - log.y);
        }
        first = sumOfQuad(first);
        second = sumOfQuad(second);
        if ((lane & 3) == 0) {
          weights[g * KP + row] += first / (SAMPLES * passes);
          weights[g * KP + row + 8] += second / (SAMPLES * passes);
        }
      }
    }
    __syncthreads();
  }
  for (int tile = warp; needsError && tile < KP / 16; tile += 8) {
    u32 a[2 * SPANS][4];
    leftClusters(a, spread + (i64)tile * 2 * BLOCK_BYTES);
    float v[4] = {};
#pragma unroll
    for (int k = 0; k < 2 * SPANS; k++) {
      u32 b[4];
      rightFragments(b, sharedAddress(squares), 0, k);
      multiply(v, a[k], b[0], b[1]);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int g = 2 * (lane & 3) + (i & 1);
      int at = g * KP + tile * 16 + (lane >> 2) + 8 * (i >> 1);
      if (g < count) errors[at] = weights[at] * v[i];
    }
  }
  __syncthreads();
  for (int g = 0; g < count; g++) {
    i64 at = (i64)h * groups + firstGroup + g;
    u32* row = selection + at * (KP / 32);
    if (starts[g] >= textStart) {
      selectAll(offsets, K, KP, row, groupBlocks + at, groupKeys + at);
      continue;
    }
    const float* masses = weights + g * KP;
    const float* error = errors + g * KP;
    for (int j = threadIdx.x; j < K; j += 256) {
      int n = max(1, offsets[j + 1] - offsets[j]);
      scores[j] = scorer == SCORER_EXPECTED_ERROR ? error[j] / n : masses[j];
    }
    __syncthreads();
    selectRow(Rule{rule, limit, least, errorTarget}, scores, masses, error, offsets, K, KP, text,
              tokens, keys, places, bits, row, groupBlocks + at, groupKeys + at);
    __syncthreads();
  }
}

// ---- scores by one vector a group -----------------------------------------------------------

constexpr int VECTOR_BOUND = 0;   // TensorQuest: sum_t max(q_t kmax_t, q_t kmin_t)
constexpr int VECTOR_MASS = 1;    // softmax over clusters of scale q.c + log n
constexpr int VECTOR_PSEUDO = 2;  // sum of the products of same sign of q and c

// Scores key clusters for the mean direction of a group (bound, pseudo) or its mean query (mass)
// and selects; meant for few groups, as the paper has them.
//
// grid (groups, heads), block 256, dynamic shared memory 4 KP + 8 places + 4 words bytes
//   kind      0 bound, 1 mass, 2 pseudo
//   extremes  T [heads][2][KP][D] of update_keys (bound)
//   tailKeys, logSizes   of update_keys (mass, pseudo)
//   center    float [heads][D]: pseudo adds it to the pseudo-keys
//   all other arguments as in score_queries; there is no error target, and the masses of rule 3 are
//   the scores of kind 1
extern "C" __global__ void __launch_bounds__(256)
score_vectors(const T* q, i64 qBatch, i64 qHead, i64 qToken, int perBatch, int tokens,
              const int* queryOrder, const int* groupStarts, const int* groupCounts, int groups,
              const int* queryOffsets, int KQ, int text, int kind, const T* extremes,
              const T* tailKeys, const float* logSizes, const float* center,
              const int* keyOffsets, int K, int KP, float scale, int rule, double limit,
              double least, u32* selection, int* groupBlocks, int* groupKeys) {
  extern __shared__ __align__(16) char memory[];
  __shared__ float scratch[SLOTS * HEAD_DIM];
  __shared__ float vector[HEAD_DIM];
  __shared__ float parts[8];
  int places = 256;
  while (places < K) places <<= 1;
  u64* keys = reinterpret_cast<u64*>(memory);
  float* scores = reinterpret_cast<float*>(keys + places);
  u32* bits = reinterpret_cast<u32*>(scores + KP);
  int h = blockIdx.y;
  int group = blockIdx.x;
  if (group >= groupCounts[h]) return;
  const int* starts = groupStarts + (i64)h * (groups + 1);
  const int* offsets = keyOffsets + (i64)h * (K + 1);
  int start = starts[group];
  int size = starts[group + 1] - start;
  i64 at = (i64)h * groups + group;
  u32* row = selection + at * (KP / 32);
  if (text && start >= queryOffsets[(i64)h * (KQ + 1) + KQ - 1]) {
    selectAll(offsets, K, KP, row, groupBlocks + at, groupKeys + at);
    return;
  }
  const T* queries = q + Rows{qBatch, qHead, qToken, perBatch}.at(h);
  const int* order = queryOrder + (i64)h * tokens + start;
  float sum[8] = {};
  int chunk = threadIdx.x % ROW_CHUNKS;
  for (int base = 0; base < size; base += SLOTS) {
    int r = base + threadIdx.x / ROW_CHUNKS;
    float x[8];
    unpack(*reinterpret_cast<const uint4*>(queries + order[r < size ? r : 0] * qToken + chunk * 8),
           x);
    float square = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) square += x[i] * x[i];
    square = sumOverRow(square);
    float weight = kind == VECTOR_MASS ? 1 : 1 / fmaxf(sqrtf(square), SHORTEST);
#pragma unroll
    for (int i = 0; i < 8; i++) sum[i] += r < size ? x[i] * weight : 0;
  }
  float total = overSlots(sum, scratch);
  if (threadIdx.x < HEAD_DIM) vector[threadIdx.x] = total / size;
  __syncthreads();
  const T* largest = extremes + (i64)h * 2 * KP * HEAD_DIM;
  const T* smallest = largest + (i64)KP * HEAD_DIM;
  const char* points = reinterpret_cast<const char*>(tailKeys) + (i64)h * (KP + 8) * ROW_BYTES +
                       BLOCK_BYTES;
  for (int j = threadIdx.x; j < K; j += 256) {
    float score = 0;
    for (int c = 0; c < ROW_CHUNKS; c++) {
      float x[8];
      float y[8];
      if (kind == VECTOR_BOUND) {
        unpack(*reinterpret_cast<const uint4*>(largest + (i64)j * HEAD_DIM + c * 8), x);
        unpack(*reinterpret_cast<const uint4*>(smallest + (i64)j * HEAD_DIM + c * 8), y);
#pragma unroll
        for (int i = 0; i < 8; i++) {
          float t = vector[c * 8 + i];
          score += fmaxf(t * x[i], t * y[i]);
        }
      } else {
        unpack(*reinterpret_cast<const uint4*>(points + imageOffset(j, c)), x);
#pragma unroll
        for (int i = 0; i < 8; i++) {
          float t = vector[c * 8 + i];
          float key = x[i];
          if (kind == VECTOR_PSEUDO) key += center[(i64)h * HEAD_DIM + c * 8 + i];
          score += kind == VECTOR_PSEUDO ? fmaxf(0.f, t * key) : t * key;
        }
      }
    }
    scores[j] = kind == VECTOR_MASS ? score * scale + logSizes[(i64)h * KP + j] : score;
  }
  __syncthreads();
  if (kind == VECTOR_MASS) {
    float m = MINUS_INFINITY;
    for (int j = 0; j < K; j++) m = fmaxf(m, scores[j]);
    float mine = 0;
    for (int j = threadIdx.x; j < K; j += 256) mine += expf(scores[j] - m);
    for (int i = 16; i > 0; i >>= 1) mine += __shfl_xor_sync(0xffffffffu, mine, i);
    if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = mine;
    __syncthreads();
    float all = 0;
    for (int w = 0; w < 8; w++) all += parts[w];
    for (int j = threadIdx.x; j < K; j += 256) scores[j] = expf(scores[j] - m) / all;
    __syncthreads();
  }
  selectRow(Rule{rule, limit, least, 0}, scores, scores, scores, offsets, K, KP, text, tokens,
            keys, places, bits, row, groupBlocks + at, groupKeys + at);
}

// ---- work items -----------------------------------------------------------------------------

// Cuts groups in tiles of at most tileRows queries and orders them: much longer ones first, else
// head by head in sorted order, so that neighbours in time read the same keys.
//
// grid 1, block 1024, no dynamic shared memory
//   tailBlocks  blocks of pseudo-keys that every group attends to besides, 0 without a tail
//   items       int4 [heads * tiles] {head, first sorted position, rows, group}, tiles at least
//               ceil(tokens / tileRows) + groups
//   itemCount   int [2]: the number of items; the ticket of the attention kernel, set to 0
//   pairs       i64 [1]: selected query-key pairs of all heads
extern "C" __global__ void __launch_bounds__(1024)
plan_items(const int* groupStarts, const int* groupCounts, int groups, int heads,
           const int* groupBlocks, const int* groupKeys, int tileRows, int tailBlocks,
           int4* items, int* itemCount, i64* pairs) {
  constexpr int CLASSES = 4;
  __shared__ int scratch[33];
  __shared__ i64 longScratch[33];
  int all = heads * groups;
  int each = (all + 1023) / 1024;
  int from = min(all, (int)threadIdx.x * each);
  int to = min(all, from + each);
  i64 blocks = 0;
  i64 tiles = 0;
  i64 pairsHere = 0;
  for (int i = from; i < to; i++) {
    int h = i / groups;
    int g = i - h * groups;
    if (g >= groupCounts[h]) continue;
    const int* starts = groupStarts + (i64)h * (groups + 1);
    int size = starts[g + 1] - starts[g];
    int cuts = (size + tileRows - 1) / tileRows;
    tiles += cuts;
    blocks += (i64)cuts * (groupBlocks[i] + tailBlocks);
    pairsHere += (i64)size * groupKeys[i];
  }
  i64 allBlocks;
  i64 allTiles;
  i64 allPairs;
  blockPrefix(blocks, longScratch, allBlocks);
  blockPrefix(tiles, longScratch, allTiles);
  blockPrefix(pairsHere, longScratch, allPairs);
  if (threadIdx.x == 0) {
    itemCount[0] = (int)allTiles;
    itemCount[1] = 0;
    *pairs = allPairs;
  }
  float mean = (float)allBlocks / max((i64)1, allTiles);
  auto classOf = [&](int i) {
    float times = (groupBlocks[i] + tailBlocks) / fmaxf(1.f, mean);
    return times >= 4 ? 0 : times >= 2 ? 1 : times >= 1.4f ? 2 : 3;
  };
  int counts[CLASSES] = {};
  for (int i = from; i < to; i++) {
    int h = i / groups;
    int g = i - h * groups;
    if (g >= groupCounts[h]) continue;
    const int* starts = groupStarts + (i64)h * (groups + 1);
    int cuts = (starts[g + 1] - starts[g] + tileRows - 1) / tileRows;
    int c = classOf(i);
#pragma unroll
    for (int k = 0; k < CLASSES; k++) counts[k] += c == k ? cuts : 0;
  }
  int before = 0;
#pragma unroll
  for (int k = 0; k < CLASSES; k++) {
    int total;
    counts[k] = before + blockPrefix(counts[k], scratch, total);
    before += total;
  }
  for (int i = from; i < to; i++) {
    int h = i / groups;
    int g = i - h * groups;
    if (g >= groupCounts[h]) continue;
    const int* starts = groupStarts + (i64)h * (groups + 1);
    int start = starts[g];
    int size = starts[g + 1] - start;
    int cuts = (size + tileRows - 1) / tileRows;
    int c = classOf(i);
    int at = 0;
#pragma unroll
    for (int k = 0; k < CLASSES; k++) {
      if (c == k) {
        at = counts[k];
        counts[k] += cuts;
      }
    }
    for (int cut = 0; cut < cuts; cut++) {
      int first = cut * tileRows;
      items[at + cut] = make_int4(h, start + first, min(tileRows, size - first), g);
    }
  }
}
