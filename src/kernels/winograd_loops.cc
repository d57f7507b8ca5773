#include "kernels/winograd_loops.h"

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define AIM_TILE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define AIM_TILE_CLONES
#endif
// Clang has no such pragma; it finds out by itself, or checks at run time.
#if defined(__clang__)
#define AIM_INDEPENDENT_ITERATIONS
#else
#define AIM_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

namespace aim::rows {
namespace {

// B^T = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1], on four values `step` apart.
__attribute__((always_inline)) inline void Forward4(float* d, int step) {
  const float a = d[0] - d[2 * step];
  const float b = d[step] + d[2 * step];
  const float c = d[2 * step] - d[step];
  const float e = d[step] - d[3 * step];
  d[0] = a;
  d[step] = b;
  d[2 * step] = c;
  d[3 * step] = e;
}

// The same on (a, b, b, c), without its third value, which is 0.
__attribute__((always_inline)) inline void Forward3(float* d, int step) {
  const float a = d[0] - d[step];
  const float c = d[step] - d[2 * step];
  d[0] = a;
  d[step] = d[step] + d[step];
  d[2 * step] = c;
}

}  // namespace

AIM_TILE_CLONES void WinogradInput(const float* const pixels[16], float* out, int64_t stride,
                                   int64_t channels) {
  AIM_INDEPENDENT_ITERATIONS
  for (int64_t c = 0; c < channels; ++c) {
    float d[16];
#pragma GCC unroll 16
    for (int k = 0; k < 16; ++k) d[k] = pixels[k][c];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) Forward4(d + k, 4);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) Forward4(d + 4 * k, 1);
#pragma GCC unroll 16
    for (int k = 0; k < 16; ++k) out[k * stride + c] = d[k];
  }
}

AIM_TILE_CLONES void WinogradInputDoubled(const float* const pixels[9], float* out, int64_t stride,
                                          int64_t channels) {
  AIM_INDEPENDENT_ITERATIONS
  for (int64_t c = 0; c < channels; ++c) {
    float d[9];
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) d[k] = pixels[k][c];
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) Forward3(d + k, 3);
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) Forward3(d + 3 * k, 1);
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) out[k * stride + c] = d[k];
  }
}

// A^T = [1 1 1 0; 0 1 -1 -1].
AIM_TILE_CLONES void WinogradOutput(const float* in, int64_t stride, const float* bias,
                                    float* const pixels[4], int64_t channels) {
  float* const p0 = pixels[0];
  float* const p1 = pixels[1];
  float* const p2 = pixels[2];
  float* const p3 = pixels[3];
  AIM_INDEPENDENT_ITERATIONS
  for (int64_t c = 0; c < channels; ++c) {
    float top[4];
    float bottom[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const float m0 = in[k * stride + c];
      const float m1 = in[(4 + k) * stride + c];
      const float m2 = in[(8 + k) * stride + c];
      const float m3 = in[(12 + k) * stride + c];
      top[k] = m0 + m1 + m2;
      bottom[k] = m1 - m2 - m3;
    }
    p0[c] = top[0] + top[1] + top[2] + bias[c];
    p1[c] = top[1] - top[2] - top[3] + bias[c];
    p2[c] = bottom[0] + bottom[1] + bottom[2] + bias[c];
    p3[c] = bottom[1] - bottom[2] - bottom[3] + bias[c];
  }
}

// The third row and column of components are 0 and left out.
AIM_TILE_CLONES void WinogradOutputDoubled(const float* in, int64_t stride, const float* bias,
                                           float* const pixels[4], int64_t channels) {
  float* const p0 = pixels[0];
  float* const p1 = pixels[1];
  float* const p2 = pixels[2];
  float* const p3 = pixels[3];
  AIM_INDEPENDENT_ITERATIONS
  for (int64_t c = 0; c < channels; ++c) {
    float top[3];
    float bottom[3];
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) {
      const float m1 = in[(3 + k) * stride + c];
      top[k] = in[k * stride + c] + m1;
      bottom[k] = m1 - in[(6 + k) * stride + c];
    }
    p0[c] = top[0] + top[1] + bias[c];
    p1[c] = top[1] - top[2] + bias[c];
    p2[c] = bottom[0] + bottom[1] + bias[c];
    p3[c] = bottom[1] - bottom[2] + bias[c];
  }
}

}  // namespace aim::rows
