#include "kernels/row_loops.h"

#include <cmath>
#include <cstring>

// Built with associative float arithmetic (see CMakeLists.txt) so that sums become vector sums.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define AIM_ROW_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define AIM_ROW_CLONES
#endif

namespace aim::rows {

AIM_ROW_CLONES void FromBf16(const uint16_t* __restrict in, float* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t bits = static_cast<uint32_t>(in[i]) << 16;
    std::memcpy(out + i, &bits, sizeof(bits));
  }
}

AIM_ROW_CLONES void ToBf16(const float* __restrict in, uint16_t* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, in + i, sizeof(bits));
    // A NaN's payload may round up to infinity; keep it a NaN.
    const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
    out[i] = static_cast<uint16_t>(is_nan ? 0x7fc0U : rounded);
  }
}

AIM_ROW_CLONES float Sum(const float* x, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

AIM_ROW_CLONES float SquaredDistance(const float* x, float centre, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += (x[i] - centre) * (x[i] - centre);
  return sum;
}

AIM_ROW_CLONES float Dot(const float* x, const float* y, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

AIM_ROW_CLONES void Modulate(const float* __restrict x, float mean, float inv_std,
                             const float* __restrict shift, const float* __restrict scale,
                             float* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * inv_std * (1.0f + scale[i]) + shift[i];
}

AIM_ROW_CLONES NormSums ModulateBackward(const float* __restrict x, float mean, float inv_std,
                                         const float* __restrict scale,
                                         const float* __restrict d_out, float* __restrict d_shift,
                                         float* __restrict d_scale, float* __restrict d_xhat,
                                         int64_t n) {
  float sum = 0;
  float dot = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float xhat = (x[i] - mean) * inv_std;
    const float gradient = d_out[i] * (1.0f + scale[i]);
    d_shift[i] += d_out[i];
    d_scale[i] += d_out[i] * xhat;
    d_xhat[i] = gradient;
    sum += gradient;
    dot += gradient * xhat;
  }
  return {sum, dot};
}

AIM_ROW_CLONES void NormBackward(const float* __restrict x, float mean, float inv_std,
                                 const float* __restrict d_xhat, NormSums sums,
                                 float* __restrict d_x, int64_t n) {
  const float mean_gradient = sums.sum / static_cast<float>(n);
  const float mean_dot = sums.dot / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) {
    const float xhat = (x[i] - mean) * inv_std;
    d_x[i] = inv_std * (d_xhat[i] - mean_gradient - xhat * mean_dot);
  }
}

AIM_ROW_CLONES void Add(const float* __restrict x, const float* __restrict y, float* __restrict out,
                        int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] + y[i];
}

AIM_ROW_CLONES void AddInPlace(const float* __restrict x, float* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] += x[i];
}

AIM_ROW_CLONES void MultiplyAdd(const float* __restrict x, const float* __restrict y,
                                const float* __restrict gate, float* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] + y[i] * gate[i];
}

AIM_ROW_CLONES void GateBackward(const float* __restrict d_out, const float* __restrict y,
                                 const float* __restrict gate, float* __restrict d_y,
                                 float* __restrict d_gate, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    d_y[i] = d_out[i] * gate[i];
    d_gate[i] += d_out[i] * y[i];
  }
}

AIM_ROW_CLONES void ScaleByWeight(const float* __restrict x, float inv_rms,
                                  const float* __restrict weight, float* __restrict out,
                                  int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * inv_rms * weight[i];
}

AIM_ROW_CLONES void RmsBackward(const float* __restrict x, float inv_rms,
                                const float* __restrict weight, const float* __restrict d_out,
                                float* __restrict d_weight, float* __restrict d_x, int64_t n) {
  float dot = 0;
  for (int64_t i = 0; i < n; ++i) {
    d_weight[i] += d_out[i] * x[i] * inv_rms;
    dot += d_out[i] * weight[i] * x[i];
  }
  const float pull = dot * inv_rms * inv_rms / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) d_x[i] = inv_rms * (d_out[i] * weight[i] - x[i] * pull);
}

AIM_ROW_CLONES void Rotate(float* __restrict x, const float* __restrict cos,
                           const float* __restrict sin, float sign, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float re = x[2 * i];
    const float im = x[2 * i + 1];
    const float s = sign * sin[i];
    x[2 * i] = re * cos[i] - im * s;
    x[2 * i + 1] = re * s + im * cos[i];
  }
}

namespace {

// exp(x) by 2^k times a polynomial on [-ln 2 / 2, ln 2 / 2] (Taylor, 7 terms: 2e-8 relative).
__attribute__((always_inline)) inline float FastExp(float x) {
  const float clamped = x < -87.0f ? -87.0f : (x > 87.0f ? 87.0f : x);
  const float scaled = clamped * 1.44269504f;
  const int32_t k = static_cast<int32_t>(scaled + (scaled < 0 ? -0.5f : 0.5f));
  const float kf = static_cast<float>(k);
  const float r = (clamped - kf * 0.693359375f) + kf * 2.12194440e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t bits = static_cast<uint32_t>(k + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof(power));
  return p * power;
}

constexpr float kRootTwoOverPi = 0.7978845608f;
constexpr float kCubic = 0.044715f;

}  // namespace

// 0.5 (1 + tanh(u)) = 1 / (1 + exp(-2 u))
AIM_ROW_CLONES void Gelu(const float* __restrict x, float* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float u = kRootTwoOverPi * (x[i] + kCubic * x[i] * x[i] * x[i]);
    out[i] = x[i] / (1.0f + FastExp(-2.0f * u));
  }
}

AIM_ROW_CLONES void GeluBackward(const float* __restrict x, const float* __restrict d_out,
                                 float* __restrict d_x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float square = x[i] * x[i];
    const float u = kRootTwoOverPi * (x[i] + kCubic * square * x[i]);
    const float gate = 1.0f / (1.0f + FastExp(-2.0f * u));
    const float slope = 2.0f * kRootTwoOverPi * (1.0f + 3.0f * kCubic * square);
    d_x[i] = d_out[i] * (gate + x[i] * gate * (1.0f - gate) * slope);
  }
}

AIM_ROW_CLONES void NormSilu(const float* __restrict x, const float* __restrict gamma, float root_n,
                             float* __restrict out, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const float norm = std::sqrt(sum);
  const float scale = root_n / (norm > 1e-12f ? norm : 1e-12f);
  for (int64_t i = 0; i < n; ++i) {
    const float y = x[i] * scale * gamma[i];
    out[i] = y / (1.0f + FastExp(-y));
  }
}

}  // namespace aim::rows
