// From query groups to work: scores of key clusters and their selection, work items of the
// attention. Nothing of it is read by the host.
//
// Runs on sm_80 and later. Sizes as in kmeans.cu; besides
//   KQ         clusters of queries, text's included
//   groups     bound on the query groups of a head, see sort_offsets
//   words      KP / 32
// A selection is a bitmap: bit j % 32 of word j / 32 says whether a group attends to key cluster j.
// (A row of 1,024 clusters takes 128 bytes; as a list it would take up to 4 KB.)
#include "common.cuh"

extern __shared__ __align__(128) char memory[];

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

// Orders like the score; a NaN shows in the output instead of hiding. Never 0.
__device__ __forceinline__ u32 rank(float score) {
  u32 bits = __float_as_uint(score);
  return score != score ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
}

// TEAM threads, whole warps beside each other, that select for one group.
template <int TEAM>
struct Team {
  int thread = threadIdx.x % TEAM;
  int number = threadIdx.x / TEAM;
  __device__ __forceinline__ void sync() const {
    asm volatile("bar.sync %0, %1;" ::"r"(number + 1), "n"(TEAM) : "memory");
  }
};

// What a team shares.
struct Desk {
  u32 histogram[256];
  u32 bin;
  u32 before;
  u32 ties;
  int tied;
  int candidates;
  int blocks;
  int rows;
  float total;
};

// The last cluster of the shortest prefix of a ranking whose weights reach a limit; all, if none
// does. Clusters of one rank follow each other by number.
struct Cut {
  u32 rank;
  int cluster;
  __device__ __forceinline__ bool takes(u32 other, int j) const {
    return other > rank || (other == rank && j <= cluster);
  }
};

// Four passes over histograms of the ranks' bytes. Weights are whole numbers with a sum below 2^32;
// ranks of 0 are no candidates; limit is at least 1.
template <int TEAM, typename Weight>
__device__ Cut findCut(const Team<TEAM>& team, Desk& desk, const u32* ranks, int K, u32 limit,
                       Weight weight) {
  u32 prefix = 0;
  u32 left = limit;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = team.thread; i < 256; i += TEAM) desk.histogram[i] = 0;
    team.sync();
    for (int j = team.thread; j < K; j += TEAM) {
      u32 r = ranks[j];
      if (r != 0 && (shift == 24 || r >> (shift + 8) == prefix)) {
        atomicAdd(&desk.histogram[r >> shift & 255], weight(j));
      }
    }
    team.sync();
    if (team.thread < 32) {
      int lane = team.thread;
      u32 mine = 0; // bins from the highest down, 8 a lane
#pragma unroll
      for (int i = 0; i < 8; i++) mine += desk.histogram[255 - 8 * lane - i];
      u32 sum = mine;
#pragma unroll
      for (int i = 1; i < 32; i <<= 1) {
        u32 other = __shfl_up_sync(0xffffffffu, sum, i);
        if (lane >= i) sum += other;
      }
      u32 crossing = __ballot_sync(0xffffffffu, sum >= left);
      if (crossing == 0) {
        if (lane == 0) desk.bin = 256;
      } else if (lane == __ffs(crossing) - 1) {
        u32 before = sum - mine;
        int bin = 255 - 8 * lane;
        while (before + desk.histogram[bin] < left) before += desk.histogram[bin--];
        desk.bin = bin;
        desk.before = before;
      }
    }
    team.sync();
    u32 bin = desk.bin;
    if (bin == 256) return Cut{0, 0};
    left -= desk.before;
    prefix = prefix << 8 | bin;
    team.sync();
  }
  if (team.thread == 0) desk.ties = 0;
  team.sync();
  for (int j = team.thread; j < K; j += TEAM) {
    if (ranks[j] == prefix) {
      atomicAdd(&desk.ties, 1);
      desk.tied = j;
    }
  }
  team.sync();
  if (desk.ties > 1) {
    if (team.thread == 0) {
      u32 sum = 0;
      int j = 0;
      for (; j < K; j++) {
        if (ranks[j] == prefix && (sum += weight(j)) >= left) break;
      }
      desk.tied = min(j, K - 1);
    }
    team.sync();
  }
  Cut cut{prefix, desk.tied};
  team.sync();
  return cut;
}

// Selects clusters of one group; all threads of the team call.
//   ranks           in shared memory, by cluster: the scores, changed into ranks
//   masses, errors  in shared memory, by cluster; errors: expected error of the whole cluster, read
//                   if there is a target
//   sizes           in shared memory, of clusters
template <int TEAM>
__device__ void selectRow(const Team<TEAM>& team, Desk& desk, const Rule& rule, u32* ranks,
                          const float* masses, const float* errors, const int* sizes, int K,
                          int KP, int text, int tokens, u32* selection, int* groupBlocks,
                          int* groupKeys) {
  if (team.thread == 0) desk.candidates = desk.blocks = desk.rows = 0;
  team.sync();
  int candidates = 0;
  for (int j = team.thread; j < K; j += TEAM) {
    bool candidate = j < K - text && sizes[j] > 0;
    ranks[j] = candidate ? rank(__uint_as_float(ranks[j])) : 0;
    candidates += candidate;
  }
  atomicAdd(&desk.candidates, candidates);
  team.sync();
  candidates = desk.candidates;
  Cut cut;
  if (rule.kind == RULE_BUDGET) {
    u32 limit = max(1, (int)floor(rule.limit * tokens + 0.5));
    cut = findCut(team, desk, ranks, K, limit, [&](int j) { return (u32)sizes[j]; });
  } else {
    int wanted = rule.kind == RULE_TOP         ? (int)rule.limit
                 : rule.kind == RULE_TOP_SHARE ? (int)floor(rule.limit * candidates + 0.5)
                                               : (int)floor(rule.least * candidates + 0.5);
    cut = findCut(team, desk, ranks, K, max(1, wanted), [](int) { return 1u; });
  }
  constexpr float ONE = 1 << 30;
  if (rule.kind == RULE_MASS) { // the longer of two prefixes
    Cut other = findCut(team, desk, ranks, K, max(1u, (u32)(rule.limit * ONE)), [&](int j) {
      return (u32)(fminf(fmaxf(masses[j], 0.f), 1.f) * ONE); });
    if (other.rank < cut.rank || (other.rank == cut.rank && other.cluster > cut.cluster)) {
      cut = other;
    }
  }
  if (rule.errorTarget > 0) { // the shorter
    if (team.thread < 32) { // in a fixed order
      float total = 0;
      for (int j = team.thread; j < K; j += 32) total += ranks[j] != 0 ? errors[j] : 0;
      for (int i = 16; i > 0; i >>= 1) total += __shfl_xor_sync(0xffffffffu, total, i);
      if (team.thread == 0) desk.total = total;
    }
    team.sync();
    float total = desk.total;
    if (total < __int_as_float(0x7f800000)) { // an error of NaN is no reason to stop
      float unit = total > 0 ? ONE / total : 0;
      u32 limit = total > rule.errorTarget ? (u32)((total - rule.errorTarget) * unit) : 0;
      Cut other = findCut(team, desk, ranks, K, max(1u, limit), [&](int j) {
        return max(1u, (u32)(fmaxf(errors[j], 0.f) * unit)); });
      if (limit == 0) {
        other = findCut(team, desk, ranks, K, 1, [](int) { return 1u; });
      }
      if (other.rank > cut.rank || (other.rank == cut.rank && other.cluster < cut.cluster)) {
        cut = other;
      }
    }
  }
  int blocks = 0;
  int rows = 0;
  for (int base = team.thread & ~31; base < KP; base += TEAM) {
    int j = base + (team.thread & 31);
    bool chosen = j < K && ((ranks[j] != 0 && cut.takes(ranks[j], j)) || (text && j == K - 1));
    u32 word = __ballot_sync(0xffffffffu, chosen);
    if ((team.thread & 31) == 0) selection[base >> 5] = word;
    if (chosen) {
      rows += sizes[j];
      blocks += (sizes[j] + 7) / 8;
    }
  }
  atomicAdd(&desk.blocks, blocks);
  atomicAdd(&desk.rows, rows);
  team.sync();
  if (team.thread == 0) {
    *groupBlocks = desk.blocks;
    *groupKeys = desk.rows;
  }
}

// Everything that is not empty, for groups of text.
template <int TEAM>
__device__ void selectAll(const Team<TEAM>& team, Desk& desk, const int* sizes, int K, int KP,
                          u32* selection, int* groupBlocks, int* groupKeys) {
  if (team.thread == 0) desk.blocks = desk.rows = 0;
  team.sync();
  int blocks = 0;
  int rows = 0;
  for (int base = team.thread & ~31; base < KP; base += TEAM) {
    int j = base + (team.thread & 31);
    int size = j < K ? sizes[j] : 0;
    u32 word = __ballot_sync(0xffffffffu, size > 0);
    if ((team.thread & 31) == 0) selection[base >> 5] = word;
    rows += size;
    blocks += (size + 7) / 8;
  }
  atomicAdd(&desk.blocks, blocks);
  atomicAdd(&desk.rows, rows);
  team.sync();
  if (team.thread == 0) {
    *groupBlocks = desk.blocks;
    *groupKeys = desk.rows;
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

struct ScoreArguments {
  const T* q;
  Rows view;
  int tokens;
  const int* queryOrder;
  const int* groupStarts;
  const int* groupCounts;
  int groups;
  const int* queryOffsets;
  int KQ;
  int text;
  const T* tailKeys;
  const float* logSizes;
  const T* variances;
  const int* keyOffsets;
  int K;
  int KP;
  float scale;
  int passes;
  int scorer;
  Rule rule;
  u32* selection;
  int* groupBlocks;
  int* groupKeys;
};

template <int TOGETHER>
__device__ __forceinline__ void scoreQueries(const ScoreArguments& arg) {
  constexpr int COLUMNS = TOGETHER * SAMPLES;
  __shared__ float scratch[SLOTS * HEAD_DIM];
  __shared__ float partMax[8][COLUMNS];
  __shared__ float partSum[8][COLUMNS];
  __shared__ float logs[COLUMNS];
  __shared__ Desk desks[TOGETHER];
  int K = arg.K;
  int KP = arg.KP;
  // Samples are done with when ranks are made.
  int shared = max(SAMPLES * ROW_BYTES, 4 * KP);
  char* samples = memory;                                      // [COLUMNS] rows
  char* squares = samples + TOGETHER * shared;                 // [16] rows
  float* weights = reinterpret_cast<float*>(squares + SAMPLES * ROW_BYTES); // [TOGETHER][KP]
  float* errors = weights + TOGETHER * KP;                     // [TOGETHER][KP]
  int* sizes = reinterpret_cast<int*>(errors + TOGETHER * KP); // [KP]
  int h = blockIdx.y;
  int firstGroup = blockIdx.x * TOGETHER;
  int count = min(TOGETHER, arg.groupCounts[h] - firstGroup);
  if (count <= 0) return;
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  const T* queries = arg.q + arg.view.at(h);
  i64 stride = arg.view.token;
  const int* order = arg.queryOrder + (i64)h * arg.tokens;
  const int* starts = arg.groupStarts + (i64)h * (arg.groups + 1) + firstGroup;
  const int* offsets = arg.keyOffsets + (i64)h * (K + 1);
  const float* logSize = arg.logSizes + (i64)h * KP;
  bool needsError = arg.scorer == SCORER_EXPECTED_ERROR || arg.rule.errorTarget > 0;
  for (int j = threadIdx.x; j < KP; j += 256) {
    sizes[j] = j < K ? offsets[j + 1] - offsets[j] : 0;
  }
  for (int i = threadIdx.x; i < SAMPLES * ROW_BYTES / 4; i += 256) {
    reinterpret_cast<u32*>(squares)[i] = 0;
  }
  constexpr int AHEAD = 4; // loads of a thread in flight
  for (int g = 0; g < count && needsError; g++) {
    float sum[8] = {};
    int start = starts[g];
    int size = starts[g + 1] - start;
    int chunk = threadIdx.x % ROW_CHUNKS;
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
          x[u] = *reinterpret_cast<const uint4*>(queries + token[u] * stride + chunk * 8);
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
                            2 * (column & 1)) = toElement(total / size * arg.scale * arg.scale);
    }
  }
  for (int j = threadIdx.x; j < TOGETHER * KP; j += 256) weights[j] = 0;

  const char* points = reinterpret_cast<const char*>(arg.tailKeys) +
                       (i64)h * (KP + 8) * ROW_BYTES + BLOCK_BYTES;
  const char* spread = reinterpret_cast<const char*>(arg.variances) + (i64)h * KP * ROW_BYTES;
  u32 right = sharedAddress(samples);
  float factor = arg.scale * LOG2_E;
  for (int pass = 0; pass < arg.passes; pass++) {
    constexpr int ALL = COLUMNS * ROW_CHUNKS;
    for (int base = threadIdx.x; base < ALL; base += AHEAD * 256) {
      uint4 x[AHEAD];
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        int i = min(base + u * 256, ALL - 1);
        int row = i / ROW_CHUNKS;
        int g = min(row / SAMPLES, count - 1); // groups that are not there repeat the last
        int start = starts[g];
        i64 size = starts[g + 1] - start;
        i64 sample = pass * SAMPLES + row % SAMPLES;
        int at = start + (int)((2 * sample + 1) * size / (2 * SAMPLES * arg.passes));
        x[u] = *reinterpret_cast<const uint4*>(queries + order[at] * stride + i % ROW_CHUNKS * 8);
      }
#pragma unroll
      for (int u = 0; u < AHEAD; u++) {
        int i = min(base + u * 256, ALL - 1);
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
    auto logits = [&](float (&s)[TOGETHER][2][4], const u32 (&a)[2 * SPANS][4]) {
#pragma unroll
      for (int g = 0; g < TOGETHER; g++) {
#pragma unroll
        for (int i = 0; i < 8; i++) s[g][i >> 2][i & 3] = 0;
      }
#pragma unroll
      for (int k = 0; k < 2 * SPANS; k++) {
#pragma unroll
        for (int g = 0; g < TOGETHER; g++) {
          u32 b[4];
          rightFragments(b, right, g * SAMPLES, k);
          multiply(s[g][0], a[k], b[0], b[1]);
          multiply(s[g][1], a[k], b[2], b[3]);
        }
      }
    };
    float top[TOGETHER][4];
    float sum[TOGETHER][4];
#pragma unroll
    for (int i = 0; i < 4 * TOGETHER; i++) {
      top[i >> 2][i & 3] = -1e30f;
      sum[i >> 2][i & 3] = 0;
    }
    for (int tile = warp; tile < KP / 16; tile += 8) {
      u32 a[2 * SPANS][4];
      leftClusters(a, points + (i64)tile * 2 * BLOCK_BYTES);
      float low = logSize[tile * 16 + (lane >> 2)] * LOG2_E;
      float high = logSize[tile * 16 + 8 + (lane >> 2)] * LOG2_E;
      float s[TOGETHER][2][4];
      logits(s, a);
#pragma unroll
      for (int g = 0; g < TOGETHER; g++) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
          float x = s[g][c >> 1][c & 1] * factor + low;
          float y = s[g][c >> 1][2 + (c & 1)] * factor + high;
          float higher = fmaxf(top[g][c], fmaxf(x, y));
          sum[g][c] = sum[g][c] * exp2Fast(top[g][c] - higher) + exp2Fast(x - higher) +
                      exp2Fast(y - higher);
          top[g][c] = higher;
        }
      }
    }
#pragma unroll
    for (int g = 0; g < TOGETHER; g++) {
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
    if (threadIdx.x < COLUMNS) {
      float m = partMax[0][threadIdx.x];
      for (int w = 1; w < 8; w++) m = fmaxf(m, partMax[w][threadIdx.x]);
      float l = 0;
      for (int w = 0; w < 8; w++) {
        l += partSum[w][threadIdx.x] * exp2Fast(partMax[w][threadIdx.x] - m);
      }
      logs[threadIdx.x] = m + log2f(l);
    }
    __syncthreads();
    for (int tile = warp; tile < KP / 16; tile += 8) {
      u32 a[2 * SPANS][4];
      leftClusters(a, points + (i64)tile * 2 * BLOCK_BYTES);
      int row = tile * 16 + (lane >> 2);
      float low = logSize[row] * LOG2_E;
      float high = logSize[row + 8] * LOG2_E;
      float s[TOGETHER][2][4];
      logits(s, a);
#pragma unroll
      for (int g = 0; g < TOGETHER; g++) {
        float first = 0;
        float second = 0;
#pragma unroll
        for (int n = 0; n < 2; n++) {
          float2 log = *reinterpret_cast<const float2*>(logs + g * SAMPLES + n * 8 + 2 * (lane & 3));
          first += exp2Fast(s[g][n][0] * factor + low - log.x) +
                   exp2Fast(s[g][n][1] * factor + low - log.y);
          second += exp2Fast(s[g][n][2] * factor + high - log.x) +
                    exp2Fast(s[g][n][3] * factor + high - log.y);
        }
        first = sumOfQuad(first);
        second = sumOfQuad(second);
        if ((lane & 3) == 0) {
          weights[g * KP + row] += first / (SAMPLES * arg.passes);
          weights[g * KP + row + 8] += second / (SAMPLES * arg.passes);
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
      if (g < TOGETHER) errors[at] = weights[at] * v[i];
    }
  }
  __syncthreads();
  Team<256 / TOGETHER> team;
  int g = team.number;
  if (g >= count) return;
  i64 at = (i64)h * arg.groups + firstGroup + g;
  u32* row = arg.selection + at * (KP / 32);
  if (arg.text && starts[g] >= arg.queryOffsets[(i64)h * (arg.KQ + 1) + arg.KQ - 1]) {
    selectAll(team, desks[g], sizes, K, KP, row, arg.groupBlocks + at, arg.groupKeys + at);
    return;
  }
  const float* masses = weights + g * KP;
  const float* error = errors + g * KP;
  u32* ranks = reinterpret_cast<u32*>(samples + g * shared);
  for (int j = team.thread; j < K; j += 256 / TOGETHER) {
    float score = arg.scorer == SCORER_EXPECTED_ERROR ? error[j] / max(1, sizes[j]) : masses[j];
    ranks[j] = __float_as_uint(score);
  }
  selectRow(team, desks[g], arg.rule, ranks, masses, error, sizes, K, KP, arg.text, arg.tokens,
            row, arg.groupBlocks + at, arg.groupKeys + at);
}

// Scores key clusters by query mass or expected error and selects. A block looks after 4 groups;
// of each, 16 evenly spaced queries a pass speak for it. W = their mean softmax over clusters of
// scale q.c + log n; v = scale^2 sum_t mean(q_t^2) var_t(k) with the mean over all queries of the
// group; score W or W v / n.
//
// grid (ceil(groups / 4), heads), block 256, dynamic shared memory
//   4 * (max(16 ROW_BYTES, 4 KP) + 8 KP) + 16 ROW_BYTES + 4 KP bytes
//   q              view [heads][tokens][D]
//   queryOrder     int [heads][tokens], of the sort of queries
//   groupStarts, groupCounts, groups   of sort_offsets
//   queryOffsets   int [heads][KQ + 1]
//   text           1 if the last cluster of both sides is protected text: its queries select
//                  everything, its keys are always selected; else 0
//   tailKeys, logSizes, variances      of update_both
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
              const int* queryOffsets, int KQ, int text, const T* tailKeys, const float* logSizes,
              const T* variances, const int* keyOffsets, int K, int KP, float scale, int passes,
              int scorer, int rule, double limit, double least, float errorTarget, u32* selection,
              int* groupBlocks, int* groupKeys) {
  scoreQueries<4>({q, {qBatch, qHead, qToken, perBatch}, tokens, queryOrder, groupStarts,
                   groupCounts, groups, queryOffsets, KQ, text, tailKeys, logSizes, variances,
                   keyOffsets, K, KP, scale, passes, scorer, {rule, limit, least, errorTarget},
                   selection, groupBlocks, groupKeys});
}

// The same with one group a block, for cards on which many clusters do not fit otherwise.
//
// grid (groups, heads), block 256, dynamic shared memory
//   max(16 ROW_BYTES, 4 KP) + 8 KP + 16 ROW_BYTES + 4 KP bytes
extern "C" __global__ void __launch_bounds__(256, 2)
score_queries_one(const T* q, i64 qBatch, i64 qHead, i64 qToken, int perBatch, int tokens,
                  const int* queryOrder, const int* groupStarts, const int* groupCounts,
                  int groups, const int* queryOffsets, int KQ, int text, const T* tailKeys,
                  const float* logSizes, const T* variances, const int* keyOffsets, int K, int KP,
                  float scale, int passes, int scorer, int rule, double limit, double least,
                  float errorTarget, u32* selection, int* groupBlocks, int* groupKeys) {
  scoreQueries<1>({q, {qBatch, qHead, qToken, perBatch}, tokens, queryOrder, groupStarts,
                   groupCounts, groups, queryOffsets, KQ, text, tailKeys, logSizes, variances,
                   keyOffsets, K, KP, scale, passes, scorer, {rule, limit, least, errorTarget},
                   selection, groupBlocks, groupKeys});
}

// ---- scores by one vector a group -----------------------------------------------------------

constexpr int VECTOR_BOUND = 0;   // TensorQuest: sum_t max(q_t kmax_t, q_t kmin_t)
constexpr int VECTOR_MASS = 1;    // softmax over clusters of scale q.c + log n
constexpr int VECTOR_PSEUDO = 2;  // sum of the products of same sign of q and c

// Scores key clusters for the mean direction of a group (bound, pseudo) or its mean query (mass)
// and selects; meant for few groups, as the paper has them.
//
// grid (groups, heads), block 256, dynamic shared memory 12 KP bytes
//   kind      0 bound, 1 mass, 2 pseudo
//   extremes  T [heads][2][KP][D] of update_both (bound)
//   tailKeys, logSizes   of update_both (mass, pseudo)
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
  __shared__ float scratch[SLOTS * HEAD_DIM];
  __shared__ float vector[HEAD_DIM];
  __shared__ float parts[8];
  __shared__ Desk desk;
  float* scores = reinterpret_cast<float*>(memory);    // [KP]
  u32* ranks = reinterpret_cast<u32*>(scores + KP);    // [KP]
  int* sizes = reinterpret_cast<int*>(ranks + KP);     // [KP]
  Team<256> team;
  int h = blockIdx.y;
  int group = blockIdx.x;
  if (group >= groupCounts[h]) return;
  const int* starts = groupStarts + (i64)h * (groups + 1);
  const int* offsets = keyOffsets + (i64)h * (K + 1);
  int start = starts[group];
  int size = starts[group + 1] - start;
  i64 at = (i64)h * groups + group;
  u32* row = selection + at * (KP / 32);
  for (int j = threadIdx.x; j < KP; j += 256) {
    sizes[j] = j < K ? offsets[j + 1] - offsets[j] : 0;
  }
  __syncthreads();
  if (text && start >= queryOffsets[(i64)h * (KQ + 1) + KQ - 1]) {
    selectAll(team, desk, sizes, K, KP, row, groupBlocks + at, groupKeys + at);
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
  for (int j = threadIdx.x; j < K; j += 256) ranks[j] = __float_as_uint(scores[j]);
  selectRow(team, desk, Rule{rule, limit, least, 0}, ranks, scores, scores, sizes, K, KP, text,
            tokens, row, groupBlocks + at, groupKeys + at);
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
//   facts       float [5], for the report: share of pairs, pseudo-keys per token, clusters of
//               queries and of keys that are not empty, means over heads; the last stays NaN here
extern "C" __global__ void __launch_bounds__(1024)
plan_items(const int* groupStarts, const int* groupCounts, int groups, int heads,
           const int* groupBlocks, const int* groupKeys, int tileRows, int tailBlocks,
           const int* queryOffsets, int KQ, const int* keyOffsets, int K, int tokens, int4* items,
           int* itemCount, i64* pairs, float* facts) {
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
  auto filled = [&](const int* offsets, int clusters) { // of all heads
    int count = 0;
    for (int i = threadIdx.x; i < heads * clusters; i += 1024) {
      const int* of = offsets + (i64)(i / clusters) * (clusters + 1) + i % clusters;
      count += of[1] > of[0];
    }
    int total;
    blockPrefix(count, scratch, total);
    return total;
  };
  float queryClusters = (float)filled(queryOffsets, KQ) / heads;
  float keyClusters = (float)filled(keyOffsets, K) / heads;
  if (threadIdx.x == 0) {
    itemCount[0] = (int)allTiles;
    itemCount[1] = 0;
    *pairs = allPairs;
    facts[0] = (float)((double)allPairs / ((double)tokens * tokens * heads));
    facts[1] = tailBlocks > 0 ? keyClusters / tokens : 0;
    facts[2] = queryClusters;
    facts[3] = keyClusters;
    facts[4] = __int_as_float(0x7fc00000);
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
