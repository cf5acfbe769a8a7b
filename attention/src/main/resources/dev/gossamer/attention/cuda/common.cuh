// What all kernels of this folder share. Compiled by NVRTC or nvcc, one module per head size and
// element type:
//   -DHEAD_DIM=64|128   columns of a head
//   -DELEMENT_FP16=0|1  bf16 (0, the default) or fp16 tensors
// No host headers; every pointer that a kernel takes is device memory, aligned to 16 bytes.
//
// Block image. Keys, values, pseudo-keys and centroids that tensor cores read are kept as blocks of
// 8 rows in exactly the bytes that they have in shared memory: a block holds HEAD_DIM / 64 atoms of
// 1,024 bytes (columns 0-63, then 64-127), an atom 8 rows of 128 bytes, and in row r of an atom the
// 16-byte chunk c lies at place c ^ r (the 128-byte swizzle of wgmma and TMA). A run of blocks is
// therefore one plain copy, needs no tensor map and lands ready for wgmma or ldmatrix.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef ELEMENT_FP16
#define ELEMENT_FP16 0
#endif
#if HEAD_DIM != 64 && HEAD_DIM != 128
#error "HEAD_DIM must be 64 or 128"
#endif

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#if ELEMENT_FP16
typedef __half T;
typedef __half2 T2;
__device__ __forceinline__ T toElement(float x) { return __float2half_rn(x); }
__device__ __forceinline__ T2 toElements(float x, float y) { return __floats2half2_rn(x, y); }
__device__ __forceinline__ float2 toFloats(T2 x) { return __half22float2(x); }
#else
typedef __nv_bfloat16 T;
typedef __nv_bfloat162 T2;
__device__ __forceinline__ T toElement(float x) { return __float2bfloat16_rn(x); }
__device__ __forceinline__ T2 toElements(float x, float y) { return __floats2bfloat162_rn(x, y); }
__device__ __forceinline__ float2 toFloats(T2 x) { return __bfloat1622float2(x); }
#endif

constexpr int ROW_BYTES = HEAD_DIM * 2;
constexpr int ROW_CHUNKS = HEAD_DIM / 8;         // chunks of 16 bytes
constexpr int BLOCK_BYTES = 8 * ROW_BYTES;       // of the block image
constexpr int BLOCK_ELEMENTS = 8 * HEAD_DIM;
#define MINUS_INFINITY __int_as_float(0xff800000)
constexpr float SHORTEST = 1e-6f;                // below this a query has no direction

// A tensor [batch, heads, tokens, HEAD_DIM] with strides in elements; the last is 1, all others are
// multiples of 8. Head h of the launch is head h % perBatch of batch h / perBatch.
struct Rows {
  i64 batch;
  i64 head;
  i64 token;
  int perBatch;
  __device__ __forceinline__ i64 at(int h) const {
    return (h / perBatch) * batch + (h % perBatch) * head;
  }
};

// Byte offset of a 16-byte chunk in a block image.
__device__ __forceinline__ u32 imageOffset(u32 row, u32 chunk) {
  return (row >> 3) * BLOCK_BYTES + (chunk >> 3) * 1024 + (row & 7) * 128 +
         (((chunk & 7) ^ (row & 7)) << 4);
}

__device__ __forceinline__ void unpack(uint4 chunk, float (&x)[8]) {
  const T2* pairs = reinterpret_cast<const T2*>(&chunk);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    float2 pair = toFloats(pairs[i]);
    x[2 * i] = pair.x;
    x[2 * i + 1] = pair.y;
  }
}

__device__ __forceinline__ uint4 pack(const float (&x)[8]) {
  uint4 chunk;
  T2* pairs = reinterpret_cast<T2*>(&chunk);
#pragma unroll
  for (int i = 0; i < 4; i++) pairs[i] = toElements(x[2 * i], x[2 * i + 1]);
  return chunk;
}

__device__ __forceinline__ u32 packPair(float x, float y) {
  T2 pair = toElements(x, y);
  return *reinterpret_cast<u32*>(&pair);
}

__device__ __forceinline__ u32 sharedAddress(const void* p) {
  return static_cast<u32>(__cvta_generic_to_shared(p));
}

// ---- sm_80: asynchronous copies, matrices out of shared memory, m16n8k16 --------------------

__device__ __forceinline__ void copyAsync(u32 shared, const void* global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global) : "memory");
}
__device__ __forceinline__ void commitCopies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int PENDING>
__device__ __forceinline__ void waitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

__device__ __forceinline__ void loadMatrices(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void loadMatricesTransposed(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

// d += a b with a 16x16 (row), b 16x8 (column), d 16x8 float32.
__device__ __forceinline__ void multiply(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#if ELEMENT_FP16
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
#else
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
#endif
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Fragment of 16 rows x 16 columns (step k) of an image in shared memory, as left operand.
__device__ __forceinline__ void leftFragment(u32 (&a)[4], u32 image, int row, int k) {
  int lane = threadIdx.x & 31;
  loadMatrices(a, image + imageOffset(row + (lane & 15), 2 * k + (lane >> 4)));
}

// Fragments of 16 rows x 16 columns of an image as right operand, its rows being the columns of
// the product: b[0], b[1] for rows 0-7, b[2], b[3] for rows 8-15.
__device__ __forceinline__ void rightFragments(u32 (&b)[4], u32 image, int row, int k) {
  int lane = threadIdx.x & 31;
  loadMatrices(b, image + imageOffset(row + (lane & 7) + ((lane >> 4) << 3),
                                      2 * k + ((lane >> 3) & 1)));
}

__device__ __forceinline__ float exp2Fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float maxOfQuad(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
__device__ __forceinline__ float sumOfQuad(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// Exclusive prefix sum over a block of at most 1,024 threads, a multiple of 32; every thread calls.
// scratch holds 33 numbers; total is the sum over the block.
template <typename N>
__device__ __forceinline__ N blockPrefix(N x, N* scratch, N& total) {
  int lane = threadIdx.x & 31;
  int warp = threadIdx.x >> 5;
  int warps = blockDim.x >> 5;
  N sum = x;
#pragma unroll
  for (int i = 1; i < 32; i <<= 1) {
    N other = __shfl_up_sync(0xffffffffu, sum, i);
    if (lane >= i) sum += other;
  }
  __syncthreads(); // scratch may still be read
  if (lane == 31) scratch[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    N part = lane < warps ? scratch[lane] : N(0);
    N partSum = part;
#pragma unroll
    for (int i = 1; i < 32; i <<= 1) {
      N other = __shfl_up_sync(0xffffffffu, partSum, i);
      if (lane >= i) partSum += other;
    }
    if (lane < warps) scratch[lane] = partSum - part;
    if (lane == 31) scratch[32] = partSum;
  }
  __syncthreads();
  total = scratch[32];
  return scratch[warp] + sum - x;
}

// ---- sums over rows -------------------------------------------------------------------------

// A block of 256 threads adds up rows: ROW_CHUNKS neighbouring lanes hold a row, 8 columns each,
// and the sums of the SLOTS rows in flight are added in their order at the end.
constexpr int SLOTS = 256 / ROW_CHUNKS;

__device__ __forceinline__ float sumOverRow(float x) {
#pragma unroll
  for (int i = ROW_CHUNKS / 2; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
  return x;
}

// Column sums over slots, in order; valid in threads below HEAD_DIM. scratch: SLOTS rows.
__device__ __forceinline__ float overSlots(const float (&x)[8], float* scratch) {
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 8; i++) {
    scratch[(threadIdx.x / ROW_CHUNKS) * HEAD_DIM + (threadIdx.x % ROW_CHUNKS) * 8 + i] = x[i];
  }
  __syncthreads();
  float sum = 0;
  if (threadIdx.x < HEAD_DIM) {
    for (int s = 0; s < SLOTS; s++) sum += scratch[s * HEAD_DIM + threadIdx.x];
  }
  return sum;
}
