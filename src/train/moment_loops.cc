#include "train/moment_loops.h"

#include <cmath>
#include <cstring>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define AIM_MOMENT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define AIM_MOMENT_CLONES
#endif
#define AIM_MOMENT_INLINE __attribute__((always_inline)) inline

namespace aim::moments {
namespace {

// A mixer of 32 bits each of which depends on all (lowbias32 of C. Wellons' hash prospector).
AIM_MOMENT_INLINE uint32_t Draw(uint32_t key, int64_t index) {
  uint32_t bits = static_cast<uint32_t>(index) * 0x9e3779b1U + key;
  bits = (bits ^ (bits >> 16)) * 0x7feb352dU;
  bits = (bits ^ (bits >> 15)) * 0x846ca68bU;
  return bits ^ (bits >> 16);
}

AIM_MOMENT_INLINE float FromBf16(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float number;
  std::memcpy(&number, &bits, sizeof(number));
  return number;
}

// `draw` in [0, 2^16). Infinities and what is no number stay what they are.
AIM_MOMENT_INLINE uint16_t ToBf16(float number, uint32_t draw) {
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof(bits));
  const bool is_finite = (bits & 0x7f800000U) != 0x7f800000U;
  return static_cast<uint16_t>((bits + (is_finite ? draw : 0U)) >> 16);
}

struct Moments {
  float m;
  float v;
};

AIM_MOMENT_INLINE Moments Follow(const AdamStep& step, float gradient, Moments before) {
  const float g = step.gradient_scale * gradient;
  return {before.m + (1.0f - step.beta1) * (g - before.m),
          step.beta2 * before.v + (1.0f - step.beta2) * g * g};
}

AIM_MOMENT_INLINE float Move(const AdamStep& step, float weight, Moments after) {
  return step.keep * weight -
         step.rate * after.m / (std::sqrt(after.v) * step.inverse_root + step.epsilon);
}

}  // namespace

AIM_MOMENT_CLONES void Adam(const AdamStep& step, const float* __restrict gradient,
                            float* __restrict weight, float* __restrict m, float* __restrict v,
                            int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const Moments after = Follow(step, gradient[i], {m[i], v[i]});
    m[i] = after.m;
    v[i] = after.v;
    weight[i] = Move(step, weight[i], after);
  }
}

AIM_MOMENT_CLONES void Adam(const AdamStep& step, const float* __restrict gradient,
                            float* __restrict weight, uint16_t* __restrict m,
                            uint16_t* __restrict v, int64_t count, uint32_t key) {
  for (int64_t i = 0; i < count; ++i) {
    const Moments after = Follow(step, gradient[i], {FromBf16(m[i]), FromBf16(v[i])});
    const uint32_t draw = Draw(key, i);
    m[i] = ToBf16(after.m, draw & 0xffffU);
    v[i] = ToBf16(after.v, draw >> 16);
    weight[i] = Move(step, weight[i], after);
  }
}

AIM_MOMENT_CLONES void Momentum(const MomentumStep& step, float* __restrict gradient,
                                float* __restrict m, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = step.gradient_scale * gradient[i];
    m[i] = step.factor * m[i] + g;
    gradient[i] = g + step.factor * m[i];
  }
}

AIM_MOMENT_CLONES void Momentum(const MomentumStep& step, float* __restrict gradient,
                                uint16_t* __restrict m, int64_t count, uint32_t key) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = step.gradient_scale * gradient[i];
    const float after = step.factor * FromBf16(m[i]) + g;
    m[i] = ToBf16(after, Draw(key, i) & 0xffffU);
    gradient[i] = g + step.factor * after;
  }
}

}  // namespace aim::moments
