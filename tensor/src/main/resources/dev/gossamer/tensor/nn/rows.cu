// What stands between the products of a transformer, row by row: a token's row is read once and
// written once. float32 inside; compiled for
//   -DWIDTH=n           columns of a row, a multiple of 8
//   -DELEMENT_FP16=0|1  bf16 (0) or fp16 tensors
// Rows are contiguous and aligned to 16 bytes. A block takes a row.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef long long i64;
#if ELEMENT_FP16
typedef __half T;
typedef __half2 T2;
__device__ __forceinline__ T2 toElements(float x, float y) { return __floats2half2_rn(x, y); }
__device__ __forceinline__ float2 toFloats(T2 x) { return __half22float2(x); }
#else
typedef __nv_bfloat16 T;
typedef __nv_bfloat162 T2;
__device__ __forceinline__ T2 toElements(float x, float y) { return __floats2bfloat162_rn(x, y); }
__device__ __forceinline__ float2 toFloats(T2 x) { return __bfloat1622float2(x); }
#endif

constexpr int THREADS = 128;
constexpr int CHUNKS = WIDTH / 8; // 8 columns each
constexpr int MINE = (CHUNKS + THREADS - 1) / THREADS;

__device__ __forceinline__ void load(float (&x)[8], const float* from) {
  float4 low = reinterpret_cast<const float4*>(from)[0];
  float4 high = reinterpret_cast<const float4*>(from)[1];
  x[0] = low.x, x[1] = low.y, x[2] = low.z, x[3] = low.w;
  x[4] = high.x, x[5] = high.y, x[6] = high.z, x[7] = high.w;
}

__device__ __forceinline__ void load(float (&x)[8], const T* from) {
  uint4 chunk = *reinterpret_cast<const uint4*>(from);
  const T2* pairs = reinterpret_cast<const T2*>(&chunk);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    float2 pair = toFloats(pairs[i]);
    x[2 * i] = pair.x;
    x[2 * i + 1] = pair.y;
  }
}

__device__ __forceinline__ void store(float* to, const float (&x)[8]) {
  reinterpret_cast<float4*>(to)[0] = make_float4(x[0], x[1], x[2], x[3]);
  reinterpret_cast<float4*>(to)[1] = make_float4(x[4], x[5], x[6], x[7]);
}

__device__ __forceinline__ void store(T* to, const float (&x)[8]) {
  uint4 chunk;
  T2* pairs = reinterpret_cast<T2*>(&chunk);
#pragma unroll
  for (int i = 0; i < 4; i++) pairs[i] = toElements(x[2 * i], x[2 * i + 1]);
  *reinterpret_cast<uint4*>(to) = chunk;
}

// Sum over the block, in every thread. `scratch` is used up.
__device__ __forceinline__ float sumOfBlock(float x, float* scratch) {
#pragma unroll
  for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
  if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = x;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int w = 0; w < THREADS / 32; w++) sum += scratch[w];
  return sum;
}

// x += y gate, where there is a y, and out = (x - mean) / sqrt(variance + eps) weight + bias,
// where there is an out.
//
// grid (rows), block 128
//   x       float [rows], stride xRow
//   y       T [rows], stride yRow, or null; gate float [WIDTH] or null for 1
//   weight, bias  float [WIDTH]
//   out     T [rows], stride outRow, or null; then weight and bias are not read
extern "C" __global__ void __launch_bounds__(THREADS)
add_layer_norm(float* x, i64 xRow, const T* y, i64 yRow, const float* gate, const float* weight,
               const float* bias, float eps, T* out, i64 outRow) {
  __shared__ float scratch[2][THREADS / 32];
  float* row = x + blockIdx.x * xRow;
  float held[MINE][8];
  float sum = 0;
#pragma unroll
  for (int m = 0; m < MINE; m++) {
    int chunk = m * THREADS + threadIdx.x;
    if (chunk < CHUNKS) {
      load(held[m], row + chunk * 8);
      if (y != nullptr) {
        float added[8];
        load(added, y + blockIdx.x * yRow + chunk * 8);
        float factor[8] = {1, 1, 1, 1, 1, 1, 1, 1};
        if (gate != nullptr) load(factor, gate + chunk * 8);
#pragma unroll
        for (int i = 0; i < 8; i++) held[m][i] += added[i] * factor[i];
        store(row + chunk * 8, held[m]);
      }
#pragma unroll
      for (int i = 0; i < 8; i++) sum += held[m][i];
    }
  }
  if (out == nullptr) return;
  float mean = sumOfBlock(sum, scratch[0]) / WIDTH;
  float squares = 0;
#pragma unroll
  for (int m = 0; m < MINE; m++) {
    if (m * THREADS + threadIdx.x < CHUNKS) {
#pragma unroll
      for (int i = 0; i < 8; i++) {
        held[m][i] -= mean;
        squares += held[m][i] * held[m][i];
      }
    }
  }
  float factor = rsqrtf(sumOfBlock(squares, scratch[1]) / WIDTH + eps);
#pragma unroll
  for (int m = 0; m < MINE; m++) {
    int chunk = m * THREADS + threadIdx.x;
    if (chunk < CHUNKS) {
      float w[8];
      float b[8];
      load(w, weight + chunk * 8);
      load(b, bias + chunk * 8);
#pragma unroll
      for (int i = 0; i < 8; i++) held[m][i] = held[m][i] * factor * w[i] + b[i];
      store(out + blockIdx.x * outRow + chunk * 8, held[m]);
    }
  }
}

constexpr int NO_NORM = 0;
constexpr int RMS_OF_ROW = 1;   // weight float [WIDTH]
constexpr int RMS_OF_HEAD = 2;  // weight float [COLUMNS]
constexpr int LAYER_OF_HEAD = 3; // weight, bias float [COLUMNS]

template <int COLUMNS>
__device__ __forceinline__ float sumOfHead(float x) {
#pragma unroll
  for (int i = COLUMNS / 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
  return x;
}

// A projection's rows normalised, turned and laid out by heads of so many columns; or only some of
// that.
//
// grid (rows), block 128
//   in      T [rows], stride inRow
//   norm    one of the numbers above
//   table   float [rows][COLUMNS], pairs (cos, sin), or null: no rotation
//   out     T: column c of head h of a row at h outHead + row outRow + c
template <int COLUMNS>
__device__ __forceinline__ void projectHeads(const T* in, i64 inRow, int norm, const float* weight,
                                             const float* bias, float eps, const float* table,
                                             T* out, i64 outHead, i64 outRow) {
  __shared__ float scratch[THREADS / 32];
  float held[MINE][8];
  float squares = 0;
#pragma unroll
  for (int m = 0; m < MINE; m++) {
    int chunk = m * THREADS + threadIdx.x;
#pragma unroll
    for (int i = 0; i < 8; i++) held[m][i] = 0;
    if (chunk < CHUNKS) load(held[m], in + blockIdx.x * inRow + chunk * 8);
#pragma unroll
    for (int i = 0; i < 8; i++) squares += held[m][i] * held[m][i];
  }
  float ofRow = 0;
  if (norm == RMS_OF_ROW) ofRow = rsqrtf(sumOfBlock(squares, scratch) / WIDTH + eps);
#pragma unroll
  for (int m = 0; m < MINE; m++) {
    int chunk = m * THREADS + threadIdx.x;
    int column = chunk * 8 % COLUMNS;
    float factor = ofRow;
    float mean = 0;
    if (norm == LAYER_OF_HEAD) {
      float sum = 0;
#pragma unroll
      for (int i = 0; i < 8; i++) sum += held[m][i];
      mean = sumOfHead<COLUMNS>(sum) / COLUMNS;
    }
    if (norm >= RMS_OF_HEAD) {
      float square = 0;
#pragma unroll
      for (int i = 0; i < 8; i++) square += (held[m][i] - mean) * (held[m][i] - mean);
      factor = rsqrtf(sumOfHead<COLUMNS>(square) / COLUMNS + eps);
    }
    if (chunk < CHUNKS) {
      if (norm != NO_NORM) {
        float w[8];
        float b[8] = {};
        load(w, weight + (norm == RMS_OF_ROW ? chunk * 8 : column));
        if (norm == LAYER_OF_HEAD) load(b, bias + column);
#pragma unroll
        for (int i = 0; i < 8; i++) held[m][i] = (held[m][i] - mean) * factor * w[i] + b[i];
      }
      if (table != nullptr) {
        float turn[8];
        load(turn, table + (i64)blockIdx.x * COLUMNS + column);
#pragma unroll
        for (int i = 0; i < 8; i += 2) {
          float a = held[m][i];
          float b = held[m][i + 1];
          held[m][i] = a * turn[i] - b * turn[i + 1];
          held[m][i + 1] = a * turn[i + 1] + b * turn[i];
        }
      }
      store(out + chunk * 8 / COLUMNS * outHead + blockIdx.x * outRow + column, held[m]);
    }
  }
}

extern "C" __global__ void __launch_bounds__(THREADS)
project_heads_64(const T* in, i64 inRow, int norm, const float* weight, const float* bias,
                 float eps, const float* table, T* out, i64 outHead, i64 outRow) {
  projectHeads<64>(in, inRow, norm, weight, bias, eps, table, out, outHead, outRow);
}

extern "C" __global__ void __launch_bounds__(THREADS)
project_heads_128(const T* in, i64 inRow, int norm, const float* weight, const float* bias,
                  float eps, const float* table, T* out, i64 outHead, i64 outRow) {
  projectHeads<128>(in, inRow, norm, weight, bias, eps, table, out, outHead, outRow);
}
