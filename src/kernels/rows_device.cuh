// What the row kernels share on the device: vectors of numbers as floats, sums over a block, and
// how the vectors of a row lie among its threads.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <cstring>

#include "kernels/e4m3.h"

namespace aim::cuda {

using Bf16 = __nv_bfloat16;

// An eight-bit float, e4m3, that is only written.
struct E4m3 {
  __nv_fp8_storage_t bits;
};

// How a block holds a row: thread t has the vectors t, t + blockDim.x, ... of kVector numbers,
// kSteps of them at most.
template <int kVectorSize, int kStepCount, bool kIsAligned>
struct Shape {
  static constexpr int kVector = kVectorSize;
  static constexpr int kSteps = kStepCount;
  static constexpr bool kAligned = kIsAligned;  // else single numbers are read and written
  // With 32 numbers of each row to hold a thread needs up to 128 registers, so at most 512 threads.
  static constexpr int kMaxThreads = kVector * kSteps > 16 ? 512 : 256;
};

// Single numbers.
__device__ inline float ToFloat(float x) { return x; }
__device__ inline float ToFloat(Bf16 x) { return __bfloat162float(x); }
template <class T>
__device__ inline T FromFloat(float x);
template <>
__device__ inline float FromFloat<float>(float x) {
  return x;
}
template <>
__device__ inline Bf16 FromFloat<Bf16>(float x) {
  return __float2bfloat16_rn(x);
}
template <class T>
__device__ inline float Rounded(float x) {
  return ToFloat(FromFloat<T>(x));
}

// Two bf16 numbers in a word, the first in its lower half.
__device__ inline void Unpack(uint32_t word, float* to) {
  to[0] = __uint_as_float(word << 16);
  to[1] = __uint_as_float(word & 0xffff0000u);
}
__device__ inline uint32_t Pack(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  uint32_t word;
  memcpy(&word, &pair, sizeof(word));
  return word;
}

// Whether a row is read once, so that it need not stay in the caches, or by many blocks.
enum class Use { kOnce, kShared };

template <Use kUse, class Vector>
__device__ inline Vector LoadVector(const void* from) {
  const auto* vector = static_cast<const Vector*>(from);
  if constexpr (kUse == Use::kOnce) {
    return __ldcs(vector);
  } else {
    return __ldg(vector);
  }
}

// kCount numbers that lie together: 2, 4 or 8.
template <bool kAligned, Use kUse = Use::kOnce, int kCount, class T>
__device__ inline void Load(const T* from, float (&to)[kCount]) {
  if constexpr (!kAligned) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i] = ToFloat(from[i]);
  } else if constexpr (sizeof(T) == 2) {
    if constexpr (kCount == 8) {
      const uint4 words = LoadVector<kUse, uint4>(from);
      Unpack(words.x, to);
      Unpack(words.y, to + 2);
      Unpack(words.z, to + 4);
      Unpack(words.w, to + 6);
    } else {
      static_assert(kCount == 4);
      const uint2 words = LoadVector<kUse, uint2>(from);
      Unpack(words.x, to);
      Unpack(words.y, to + 2);
    }
  } else if constexpr (kCount == 2) {
    const float2 two = LoadVector<kUse, float2>(from);
    to[0] = two.x;
    to[1] = two.y;
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      const float4 four = LoadVector<kUse, float4>(from + i);
      to[i] = four.x;
      to[i + 1] = four.y;
      to[i + 2] = four.z;
      to[i + 3] = four.w;
    }
  }
}

template <bool kAligned, int kCount, class T>
__device__ inline void Store(const float (&from)[kCount], T* to) {
  if constexpr (!kAligned) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i] = FromFloat<T>(from[i]);
  } else if constexpr (sizeof(T) == 2) {
    if constexpr (kCount == 8) {
      *reinterpret_cast<uint4*>(to) = make_uint4(Pack(from[0], from[1]), Pack(from[2], from[3]),
                                                 Pack(from[4], from[5]), Pack(from[6], from[7]));
    } else {
      static_assert(kCount == 4);
      *reinterpret_cast<uint2*>(to) = make_uint2(Pack(from[0], from[1]), Pack(from[2], from[3]));
    }
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      *reinterpret_cast<float4*>(to + i) =
          make_float4(from[i], from[i + 1], from[i + 2], from[i + 3]);
    }
  }
}

// Numbers that are no larger than the type's largest, but for rounding, or NaN.
template <bool kAligned, int kCount>
__device__ inline void Store(const float (&from)[kCount], E4m3* to) {
  if constexpr (!kAligned) {
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      to[i].bits = __nv_cvt_float_to_fp8(from[i], __NV_SATFINITE, __NV_E4M3);
  } else {
    static_assert(kCount == 4 || kCount == 8);
    uint32_t words[kCount / 4];
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      const uint32_t low =
          __nv_cvt_float2_to_fp8x2(make_float2(from[i], from[i + 1]), __NV_SATFINITE, __NV_E4M3);
      const uint32_t high = __nv_cvt_float2_to_fp8x2(make_float2(from[i + 2], from[i + 3]),
                                                     __NV_SATFINITE, __NV_E4M3);
      words[i / 4] = low | high << 16;
    }
    if constexpr (kCount == 8) {
      *reinterpret_cast<uint2*>(to) = make_uint2(words[0], words[1]);
    } else {
      *reinterpret_cast<uint32_t*>(to) = words[0];
    }
  }
}

// body(step, column) for each vector of this thread; the column is that of its first number.
template <class S, class Body>
__device__ inline void ForEachVector(int width, const Body& body) {
#pragma unroll
  for (int step = 0; step < S::kSteps; ++step) {
    const int column = static_cast<int>(threadIdx.x + step * blockDim.x) * S::kVector;
    if (column < width) body(step, column);
  }
}

__device__ inline float WarpSum(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, distance);
  }
  return x;
}

// Sums over all threads of the block, the same in each of them. Two calls in a row must differ in
// `slot`, 0 or 1: what one still reads the next but one may overwrite.
template <int kCount>
__device__ inline void BlockSum(float (&values)[kCount], int slot) {
  __shared__ float of_warps[2][kCount][32];
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int warps = static_cast<int>(blockDim.x / 32);
#pragma unroll
  for (int i = 0; i < kCount; ++i) values[i] = WarpSum(values[i]);
  if (warps == 1) return;
  if (lane == 0) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) of_warps[slot][i][warp] = values[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    values[i] = WarpSum(lane < warps ? of_warps[slot][i][lane] : 0.0f);
  }
}

// The largest magnitude over all threads of the block, as bits, whose order is that of magnitudes
// with infinity and NaN above all; the same in each thread. Once in a kernel.
__device__ inline unsigned MagnitudeBits(float x) { return __float_as_uint(x) & 0x7fffffffu; }
__device__ inline float BlockLargest(unsigned bits) {
  __shared__ unsigned of_warps[32];
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  const int warps = static_cast<int>(blockDim.x / 32);
  const auto of_warp = [](unsigned largest) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2)
      largest = max(largest, __shfl_xor_sync(0xffffffffu, largest, distance));
    return largest;
  };
  bits = of_warp(bits);
  if (warps > 1) {
    if (lane == 0) of_warps[warp] = bits;
    __syncthreads();
    bits = of_warp(lane < warps ? of_warps[lane] : 0u);
  }
  return __uint_as_float(bits);
}

// The row that the block holds as eight-bit floats and their scale; overwrites x. The order
// of operations is that of scaled_product.cc.
template <class S>
__device__ inline void StoreQuantised(float (&x)[S::kSteps][S::kVector], int width, E4m3* row,
                                      float* scale) {
  constexpr float kLargest = static_cast<float>(kLargestE4m3);
  constexpr float kSmallestRow = static_cast<float>(kSmallestE4m3Row);
  unsigned bits = 0;
  ForEachVector<S>(width, [&](int step, int) {
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) bits = max(bits, MagnitudeBits(x[step][i]));
  });
  float largest = BlockLargest(bits);
  if (largest < kSmallestRow) largest = kSmallestRow;  // not where it is NaN
  const float inverse = __frcp_rn(largest) * kLargest;
  if (threadIdx.x == 0) *scale = largest / kLargest;
  ForEachVector<S>(width, [&](int step, int column) {
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) x[step][i] *= inverse;
    Store<S::kAligned>(x[step], row + column);
  });
}

// The rows of this block where every run of `rows_of_run` rows is cut into `parts`.
struct RowRange {
  unsigned begin, end;
};
__device__ inline RowRange RowsOfPart(unsigned rows_of_run, unsigned parts) {
  const unsigned run = blockIdx.x / parts;
  const uint64_t part = blockIdx.x % parts;
  const unsigned first = run * rows_of_run;
  return {first + static_cast<unsigned>(part * rows_of_run / parts),
          first + static_cast<unsigned>((part + 1) * rows_of_run / parts)};
}

}  // namespace aim::cuda
