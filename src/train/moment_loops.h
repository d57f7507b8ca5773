// What an optimizer does to each number of a weight, in one pass over its memory.
//
// Moments in bfloat16 are rounded up or down at random, in proportion to how near both are, so that
// their expectation is the exact moment: rounded to the nearest, a second moment would stop where
// its change in a step is below half of its last bit (1/256 of it; beta2 = 0.999 changes 1/1000).
// The draw for element i is a function of `key` and i alone.
#pragma once

#include <cstdint>

namespace aim::moments {

// One AdamW step with corrected moments:
//
//   g = gradient_scale * gradient, m += (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g^2
//   w = keep * w - rate * m / (sqrt(v) * inverse_root + epsilon)
struct AdamStep {
  float gradient_scale = 1;
  float beta1 = 0;
  float beta2 = 0;
  float keep = 1;          // 1 - lr * weight decay
  float rate = 0;          // lr / (1 - beta1^step)
  float inverse_root = 1;  // 1 / sqrt(1 - beta2^step)
  float epsilon = 0;
};
void Adam(const AdamStep& step, const float* gradient, float* weight, float* m, float* v,
          int64_t count);
void Adam(const AdamStep& step, const float* gradient, float* weight, uint16_t* m, uint16_t* v,
          int64_t count, uint32_t key);

// g = gradient_scale * gradient, m = factor m + g; the gradient becomes g + factor m (Nesterov).
struct MomentumStep {
  float gradient_scale = 1;
  float factor = 0;
};
void Momentum(const MomentumStep& step, float* gradient, float* m, int64_t count);
void Momentum(const MomentumStep& step, float* gradient, uint16_t* m, int64_t count, uint32_t key);

}  // namespace aim::moments
