// GELU in its tanh form, of one number on the device.
#pragma once

#include "kernels/rows_device.cuh"

namespace aim::cuda {

constexpr float kRootTwoOverPi = 0.7978845608028654f;
constexpr float kCubic = 0.044715f;

// exp of what GELU asks for; bf16 results have no digits beyond the fast one's.
template <class T>
__device__ inline float Exp(float x) {
  if constexpr (sizeof(T) == 2) {
    return __expf(x);
  } else {
    return expf(x);
  }
}

struct Gelu {
  template <class T>
  static __device__ float Of(float x, float) {
    const float u = kRootTwoOverPi * (x + kCubic * x * x * x);
    return __fdividef(x, 1.0f + fminf(Exp<T>(-2.0f * u), 1e30f));
  }
};

}  // namespace aim::cuda
