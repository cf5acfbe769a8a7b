// Attention of query groups to their own key clusters and to the pseudo-keys of the others, for
// Hopper (sm_90a). Same arguments and results as attend in attention.cu.
//
// One block a multiprocessor takes items by ticket until there are none. Its first warpgroup
// fetches: warp 1 takes the items and plans their tiles, a few ahead; warp 0 copies the keys and
// values of a plan, as bulk copies of runs of blocks; warps 2 and 3 copy the next item's queries, row
// by row through the order. Two warpgroups of 64 queries each multiply: while the product with the
// values of one tile runs, they take the softmax of the next one, and by turns, so that one's
// softmax runs beside the other's products.
#include "stream.cuh"
#include "wgmma.cuh"

constexpr int TILE_BLOCKS = HEAD_DIM == 64 ? 24 : 16; // of 8 keys; narrow heads leave registers for more
// A warpgroup that passes by a tile of the other counts on two.
constexpr int STAGES = 2;
constexpr int CONSUMERS = 2;
constexpr int TILE_ROWS = 64 * CONSUMERS;
constexpr int TILE_KEYS = TILE_BLOCKS * 8;
constexpr int TILE_BYTES = TILE_KEYS * ROW_BYTES;
constexpr int QUERY_BYTES = TILE_ROWS * ROW_BYTES;
constexpr int QUERY_THREADS = 64;
constexpr int PLANS = 6; // at least two more than stages
constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;

struct Item {
  int head; // -1: there are no more
  int start;
  int rows;
  int group;
  int allBlocks;
};

// A tile ahead of its copies: what its logits need, and, per block, where a copy starts.
struct Plan {
  TileNotes<TILE_KEYS> notes;
  int source[32]; // block, counted from the first head's first
  int run[32];    // blocks of the copy, 0: an earlier lane's; negative: of pseudo-keys
};

struct Shared {
  char queries[2][QUERY_BYTES];
  char keys[STAGES][TILE_BYTES];
  char values[STAGES][TILE_BYTES];
  Plan plans[PLANS];
  Item items[2];
  float merge[2][64]; // of an item that both warpgroups share: the second's maxima and sums
  u64 itemFull[2], itemEmpty[2], queryFull[2], queryEmpty[2];
  u64 planFull[PLANS], planEmpty[PLANS];
  u64 keyFull[STAGES], keyEmpty[STAGES], valueFull[STAGES], valueEmpty[STAGES];
};

// A turn in a ring of barriers.
template <int SIZE>
struct Turn {
  int place = 0;
  u32 phase = 0;
  __device__ __forceinline__ void next() { advance(1); }
  __device__ __forceinline__ void advance(int by) { // at most SIZE
    place += by;
    if (place >= SIZE) {
      place -= SIZE;
      phase ^= 1;
    }
  }
};

// What a lane copies of a tile: neighbours in the source go as one copy, by the first of their lanes.
__device__ __forceinline__ int runOf(const TilePlan& plan) {
  int lane = threadIdx.x & 31;
  int before = __shfl_up_sync(0xffffffffu, plan.block, 1);
  int tailBefore = __shfl_up_sync(0xffffffffu, (int)plan.tail, 1);
  bool begins = lane < TILE_BLOCKS &&
                (lane == 0 || plan.block != before + 1 || tailBefore != (int)plan.tail);
  u32 heads = __ballot_sync(0xffffffffu, begins);
  u32 later = lane == 31 ? 0 : heads & ~((2u << lane) - 1);
  int blocks = begins ? (later == 0 ? TILE_BLOCKS : __ffs(later) - 1) - lane : 0;
  return plan.tail ? -blocks : blocks;
}

// Copies a tile; the whole warp calls.
__device__ __forceinline__ void fetch(int source, int run, const T* blocks, const T* tail,
                                      char* tile, u64& full) {
  int lane = threadIdx.x & 31;
  u32 barrier = sharedAddress(&full);
  if (lane == 0) barrierExpect(barrier, TILE_BYTES);
  __syncwarp();
  if (run != 0) {
    copyBulk(sharedAddress(tile) + lane * BLOCK_BYTES,
             reinterpret_cast<const char*>(run < 0 ? tail : blocks) + (i64)source * BLOCK_BYTES,
             abs(run) * BLOCK_BYTES, barrier);
  }
}

// grid: number of multiprocessors, block 384, dynamic shared memory sizeof(Shared) + 1,024 rounded
// up to 128: 203,136 bytes for 128 columns, 139,136 for 64. Arguments as attend in attention.cu.
extern "C" __global__ void __launch_bounds__(384, 1)
attend_sm90(const T* q, i64 qBatch, i64 qHead, i64 qToken, int perBatch, int tokens,
            const int* queryOrder, const T* keyBlocks, const T* valueBlocks, i64 blocks,
            const int* keyOffsets, const int* blockStarts, int K, int KP, const T* tailKeys,
            const T* tailValues, const float* logSizes, const u32* selection, int groups,
            const int* groupBlocks, const int4* items, int* itemCount, float scale, T* out,
            i64 outBatch, i64 outHead, i64 outToken, float* lse) {
  extern __shared__ __align__(1024) char memory[];
  Shared& shared = *reinterpret_cast<Shared*>(memory + (-sharedAddress(memory) & 1023));
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  int tailBlocks = tailKeys == nullptr ? 0 : KP / 8 + 1;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) {
      barrierInit(sharedAddress(&shared.itemFull[i]), 1);
      barrierInit(sharedAddress(&shared.itemEmpty[i]), 4 * CONSUMERS + QUERY_THREADS / 32 + 1);
      barrierInit(sharedAddress(&shared.queryFull[i]), QUERY_THREADS);
      barrierInit(sharedAddress(&shared.queryEmpty[i]), 4 * CONSUMERS);
    }
    for (int i = 0; i < PLANS; i++) {
      barrierInit(sharedAddress(&shared.planFull[i]), 1);
      barrierInit(sharedAddress(&shared.planEmpty[i]), 4 * CONSUMERS + 1);
    }
    for (int i = 0; i < STAGES; i++) {
      barrierInit(sharedAddress(&shared.keyFull[i]), 1);
      barrierInit(sharedAddress(&shared.keyEmpty[i]), 4 * CONSUMERS);
      barrierInit(sharedAddress(&shared.valueFull[i]), 1);
      barrierInit(sharedAddress(&shared.valueEmpty[i]), 4 * CONSUMERS);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    fenceProxy();
  }
  __syncthreads();

  if (warp < 4) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 56;");
    Turn<2> turn;
    if (warp == 1) {
      int count = itemCount[0];
      Turn<PLANS> place;
      while (true) {
        int ticket = 0;
        if (lane == 0) ticket = atomicAdd(itemCount + 1, 1);
        ticket = __shfl_sync(0xffffffffu, ticket, 0);
        Item item{-1, 0, 0, 0, 0};
        if (ticket < count) {
          int4 next = items[ticket];
          item = Item{next.x, next.y, next.z, next.w,
                      tailBlocks + groupBlocks[(i64)next.x * groups + next.w]};
        }
        barrierWait(sharedAddress(&shared.itemEmpty[turn.place]), turn.phase ^ 1);
        if (lane == 0) {
          shared.items[turn.place] = item;
          barrierArrive(sharedAddress(&shared.itemFull[turn.place]));
        }
        __syncwarp();
        turn.next();
        if (item.head < 0) break;
        int h = item.head;
        const u32* row = selection + ((i64)h * groups + item.group) * (KP / 32);
        BlockStream stream;
        stream.open(row, keyOffsets + (i64)h * (K + 1), blockStarts + (i64)h * (KP + 1), KP / 32);
        int tiles = (item.allBlocks + TILE_BLOCKS - 1) / TILE_BLOCKS;
        for (int tile = 0; tile < tiles; tile++) {
          TilePlan plan = planTile<TILE_BLOCKS>(stream, tile, tailBlocks, item.allBlocks);
          int run = runOf(plan);
          barrierWait(sharedAddress(&shared.planEmpty[place.place]), place.phase ^ 1);
          Plan& out = shared.plans[place.place];
          out.source[lane] = (plan.tail ? h * (KP / 8 + 1) : h * (int)blocks) + plan.block;
          out.run[lane] = run;
          writeNotes<TILE_BLOCKS>(out.notes, plan, tile, tailBlocks, row, logSizes + (i64)h * KP,
                                  1 / scale);
          __syncwarp();
          if (lane == 0) barrierArrive(sharedAddress(&shared.planFull[place.place]));
          place.next();
        }
      }
    } else if (warp == 0) {
      Turn<PLANS> place;
      Turn<STAGES> keyStage;
      Turn<STAGES> valueStage;
      int source = 0;
      int run = 0;
      bool owed = false; // values lag a tile behind, as their space is free later
      while (true) {
        barrierWait(sharedAddress(&shared.itemFull[turn.place]), turn.phase);
        Item item = shared.items[turn.place];
        __syncwarp();
        if (lane == 0) barrierArrive(sharedAddress(&shared.itemEmpty[turn.place]));
        turn.next();
        int tiles = item.head < 0 ? 0 : (item.allBlocks + TILE_BLOCKS - 1) / TILE_BLOCKS;
        for (int tile = 0; tile <= tiles; tile++) {
          int nextSource = 0;
          int nextRun = 0;
          bool more = tile < tiles;
          if (more) {
            barrierWait(sharedAddress(&shared.planFull[place.place]), place.phase);
            nextSource = shared.plans[place.place].source[lane];
            nextRun = shared.plans[place.place].run[lane];
            __syncwarp();
            if (lane == 0) barrierArrive(sharedAddress(&shared.planEmpty[place.place]));
            place.next();
            barrierWait(sharedAddress(&shared.keyEmpty[keyStage.place]), keyStage.phase ^ 1);
            fetch(nextSource, nextRun, keyBlocks, tailKeys, shared.keys[keyStage.place],
                  shared.keyFull[keyStage.place]);
            keyStage.next();
          } else if (item.head >= 0) {
            break; // the last tile's values go behind the next item's first keys
          }
          if (owed) {
            barrierWait(sharedAddress(&shared.valueEmpty[valueStage.place]),
                        valueStage.phase ^ 1);
            fetch(source, run, valueBlocks, tailValues, shared.values[valueStage.place],
                  shared.valueFull[valueStage.place]);
            valueStage.next();
          }
          source = nextSource;
          run = nextRun;
          owed = more;
        }
        if (item.head < 0) break;
      }
    } else {
      int thread = threadIdx.x - 64;
      while (true) {
        barrierWait(sharedAddress(&shared.itemFull[turn.place]), turn.phase);
        Item item = shared.items[turn.place];
        __syncwarp();
        if (lane == 0) barrierArrive(sharedAddress(&shared.itemEmpty[turn.place]));
        if (item.head < 0) break;
        barrierWait(sharedAddress(&shared.queryEmpty[turn.place]), turn.phase ^ 1);
        const T* from = q + Rows{qBatch, qHead, qToken, perBatch}.at(item.head);
        const int* order = queryOrder + (i64)item.head * tokens + item.start;
        char* to = shared.queries[turn.place];
        for (int i = thread; i < TILE_ROWS * ROW_CHUNKS; i += QUERY_THREADS) {
          int row = i / ROW_CHUNKS;
          int chunk = i % ROW_CHUNKS;
          uint4 value = make_uint4(0, 0, 0, 0);
          if (row < item.rows) {
            value = *reinterpret_cast<const uint4*>(from + order[row] * qToken + chunk * 8);
          }
          *reinterpret_cast<uint4*>(to + imageOffset(row, chunk)) = value;
        }
        fenceProxy();
        barrierArrive(sharedAddress(&shared.queryFull[turn.place]));
        turn.next();
      }
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 224;");
    int consumer = __shfl_sync(0xffffffffu, warp, 0) / 4 - 1;
    int myRow = consumer * 64 + (warp & 3) * 16 + (lane >> 2);
    float factor = scale * LOG2_E;
    Turn<2> turn;
    Turn<STAGES> keyStage;
    Turn<STAGES> valueStage;
    Turn<PLANS> place;
    if (consumer == CONSUMERS - 1) namedArrive(1, 256);
    while (true) {
      barrierWait(sharedAddress(&shared.itemFull[turn.place]), turn.phase);
      Item item = shared.items[turn.place];
      __syncwarp();
      if (lane == 0) barrierArrive(sharedAddress(&shared.itemEmpty[turn.place]));
      if (item.head < 0) break;
      int tiles = __shfl_sync(0xffffffffu, (item.allBlocks + TILE_BLOCKS - 1) / TILE_BLOCKS, 0);
      char* mine = shared.queries[turn.place];
      // Few queries are both warpgroups', who then take every other tile of keys.
      bool split = __shfl_sync(0xffffffffu, (int)(item.rows <= 64 && tiles > 1), 0);
      u64 queries = describe(sharedAddress(mine) + (split ? 0 : consumer * 8 * BLOCK_BYTES));
      float o[HEAD_DIM / 2];
      float s[TILE_KEYS / 2];
      u32 p[TILE_KEYS / 16][4];
      float top[2] = {MINUS_INFINITY, MINUS_INFINITY};
      float sum[2] = {0, 0};
      float center[2] = {0, 0};

      auto myTurn = [&]() { namedSync(1 + consumer, 256); };
      auto yourTurn = [&]() { namedArrive(1 + (consumer + 1) % CONSUMERS, 256); };
      auto multiplyKeys = [&]() {
        u64 keys = describe(sharedAddress(shared.keys[keyStage.place]));
#pragma unroll
        for (int k = 0; k < HEAD_DIM / 16; k++) {
          wgmma(s, stepOfRows(queries, k), stepOfRows(keys, k), k > 0);
        }
        wgmmaCommit();
      };
      auto multiplyValues = [&](bool fresh) {
        u64 values = describe(sharedAddress(shared.values[valueStage.place]));
#pragma unroll
        for (int k = 0; k < TILE_KEYS / 16; k++) {
          wgmmaHeld(o, p[k], stepOverRows(values, k), !fresh || k > 0);
        }
        wgmmaCommit();
      };
      auto release = [&](u64& barrier) {
        if (lane == 0) barrierArrive(sharedAddress(&barrier));
      };
      // Both warpgroups' tiles, or mine of an item that they share: code of its own for either, and
      // numbers that a whole warp has alike for certain, or the compiler lets no products overlap.
      auto multiplyAll = [&](const bool split) __attribute__((always_inline)) {
        const int first = split ? consumer : 0;
        const int step = split ? CONSUMERS : 1;
        // A tile that is one warpgroup's is given back for the other, who passes by.
        const int hands = split ? CONSUMERS : 1;
        int passed; // from a tile to the next of mine, or to the end
        auto done = [&](u64& barrier) {
          if (lane == 0) barrierArrive(sharedAddress(&barrier), hands);
        };
        auto donePlan = [&]() {
          __syncwarp();
          done(shared.planEmpty[place.place]);
          place.advance(passed);
        };
        auto doneKeys = [&]() {
          done(shared.keyEmpty[keyStage.place]);
          keyStage.advance(passed);
        };
        auto doneValues = [&](int by) {
          done(shared.valueEmpty[valueStage.place]);
          valueStage.advance(by);
        };
        TileGaps gaps;
        auto awaitKeys = [&]() {
          barrierWait(sharedAddress(&shared.keyFull[keyStage.place]), keyStage.phase);
          gaps = readGaps(shared.plans[place.place].notes);
        };
        // Exponentials of the tile's logits; how much earlier sums shrink goes to shrink.
        float shrink[2];
        bool grew;
        auto soften = [&](int tile) {
          applyNotes<TILE_BLOCKS>(s, shared.plans[place.place].notes, gaps, tile, tailBlocks, center);
          donePlan();
          grew = false;
#pragma unroll
          for (int half = 0; half < 2; half++) {
            float higher = top[half];
#pragma unroll
            for (int b = 0; b < TILE_BLOCKS; b++) {
              higher = fmaxf(higher, fmaxf(s[4 * b + 2 * half], s[4 * b + 2 * half + 1]));
            }
            higher = maxOfQuad(higher);
            // Sums keep an earlier maximum until weights would grow beyond 2^8.
            bool same = higher * factor <= top[half] * factor + 8;
            if (same) higher = top[half];
            grew |= !same;
            float origin = higher == MINUS_INFINITY ? 0 : higher * factor;
            shrink[half] = same ? 1 : exp2Fast(top[half] * factor - origin);
            top[half] = higher;
            float added = 0;
#pragma unroll
            for (int b = 0; b < TILE_BLOCKS; b++) {
#pragma unroll
              for (int i = 0; i < 2; i++) {
                float& x = s[4 * b + 2 * half + i];
                x = exp2Fast(x * factor - origin);
                added += x;
              }
            }
            sum[half] = sum[half] * shrink[half] + added;
          }
        };
        auto roundWeights = [&]() {
#pragma unroll
          for (int k = 0; k < TILE_KEYS / 16; k++) {
#pragma unroll
            for (int i = 0; i < 4; i++) p[k][i] = packPair(s[8 * k + 2 * i], s[8 * k + 2 * i + 1]);
          }
        };

        if (split) {
          if (tailBlocks > TILE_BLOCKS) { // the center stands in the first tile, for both
            barrierWait(sharedAddress(&shared.keyFull[keyStage.place]), keyStage.phase);
            u64 keys = describe(sharedAddress(shared.keys[keyStage.place]));
            float ahead[16];
            wgmmaFence();
#pragma unroll
            for (int k = 0; k < HEAD_DIM / 16; k++) {
              wgmma(ahead, stepOfRows(queries, k), stepOfRows(keys, k), k > 0);
            }
            wgmmaCommit();
            wgmmaWait<0>();
            pin(ahead);
            center[0] = centerOf(ahead[0], ahead[1]);
            center[1] = centerOf(ahead[2], ahead[3]);
          }
          namedSync(3, 256); // both have read it before the first gives it back
          keyStage.advance(first);
          valueStage.advance(first);
          place.advance(first);
        }
        awaitKeys();
        myTurn();
        wgmmaFence();
        multiplyKeys();
        yourTurn();
        wgmmaWait<0>();
        pin(s);
        passed = min(step, tiles - first);
        doneKeys();
        soften(first);
        roundWeights();
        for (int tile = first + step; tile < tiles; tile += step) {
          awaitKeys();
          myTurn();
          wgmmaFence();
          multiplyKeys();
          barrierWait(sharedAddress(&shared.valueFull[valueStage.place]), valueStage.phase);
          multiplyValues(tile == first + step);
          yourTurn();
          wgmmaWait<1>();
          pin(s);
          passed = min(step, tiles - tile);
          doneKeys();
          soften(tile);
          wgmmaWait<0>();
          pin(o);
          doneValues(step);
          if (__any_sync(0xffffffffu, grew)) {
#pragma unroll
            for (int i = 0; i < HEAD_DIM / 2; i++) o[i] *= shrink[i >> 1 & 1];
          }
          roundWeights();
        }
        barrierWait(sharedAddress(&shared.valueFull[valueStage.place]), valueStage.phase);
        wgmmaFence();
        multiplyValues(first + step >= tiles);
        wgmmaWait<0>();
        pin(o);
        doneValues(passed);
        if (split && consumer > 0 && (tiles & 1)) { // the other had one tile more, and took a turn
          myTurn();
          yourTurn();
        }
      };
      barrierWait(sharedAddress(&shared.queryFull[turn.place]), turn.phase);
      if (split) {
        multiplyAll(true);
      } else if (tiles > 0) {
        multiplyAll(false);
      } else {
#pragma unroll
        for (int i = 0; i < HEAD_DIM / 2; i++) o[i] = 0;
      }

      float total[2] = {sumOfQuad(sum[0]), sumOfQuad(sum[1])};
      if (split) {
        // The second hands what it has to the first, where the queries were.
        float* parts = reinterpret_cast<float*>(mine) + (threadIdx.x & 127);
        int row = (warp & 3) * 16 + (lane >> 2);
        namedSync(3, 256); // both are done with the queries
        if (consumer > 0) {
#pragma unroll
          for (int i = 0; i < HEAD_DIM / 2; i++) parts[i * 128] = o[i];
#pragma unroll
          for (int half = 0; half < 2; half++) {
            if ((lane & 3) == 0) {
              shared.merge[0][row + half * 8] = top[half];
              shared.merge[1][row + half * 8] = total[half];
            }
          }
        }
        namedSync(3, 256);
        if (consumer > 0) {
          release(shared.queryEmpty[turn.place]);
          turn.next();
          continue;
        }
        float own[2];
        float other[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
          float otherTop = shared.merge[0][row + half * 8];
          float higher = fmaxf(top[half], otherTop);
          float origin = higher == MINUS_INFINITY ? 0 : higher * factor;
          own[half] = exp2Fast(top[half] * factor - origin);
          other[half] = exp2Fast(otherTop * factor - origin);
          total[half] = total[half] * own[half] + shared.merge[1][row + half * 8] * other[half];
          top[half] = higher;
        }
#pragma unroll
        for (int i = 0; i < HEAD_DIM / 2; i++) {
          o[i] = o[i] * own[i >> 1 & 1] + parts[i * 128] * other[i >> 1 & 1];
        }
        namedSync(4, 128); // the output goes where the parts are
      }

      // A warp's own 16 rows of queries are done with: the output goes there, and out in whole rows.
      const int* order = queryOrder + (i64)item.head * tokens + item.start;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float all = total[half];
        float inverse = all > 0 ? 1 / all : all != all ? all : 0;
        int r = myRow + half * 8;
#pragma unroll
        for (int n = 0; n < HEAD_DIM / 8; n++) {
          *reinterpret_cast<u32*>(mine + imageOffset(r, n) + 4 * (lane & 3)) =
              packPair(o[4 * n + 2 * half] * inverse, o[4 * n + 2 * half + 1] * inverse);
        }
        if (lse != nullptr && (lane & 3) == 0 && r < item.rows) {
          lse[(i64)item.head * tokens + order[r]] =
              all > 0 || all != all ? top[half] * scale + log2f(all) * LN_2 : MINUS_INFINITY;
        }
      }
      __syncwarp();
      T* to = out + Rows{outBatch, outHead, outToken, perBatch}.at(item.head);
#pragma unroll
      for (int i = 0; i < ROW_CHUNKS / 2; i++) {
        int r = consumer * 64 + (warp & 3) * 16 + (i * 32 + lane) / ROW_CHUNKS;
        int chunk = (i * 32 + lane) % ROW_CHUNKS;
        if (r < item.rows) {
          *reinterpret_cast<uint4*>(to + order[r] * outToken + chunk * 8) =
              *reinterpret_cast<const uint4*>(mine + imageOffset(r, chunk));
        }
      }
      __syncwarp();
      release(shared.queryEmpty[turn.place]);
      turn.next();
    }
  }
}
