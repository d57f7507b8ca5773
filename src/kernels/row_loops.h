// Loops over one row of numbers, compiled for several instruction sets and chosen at run time.
#pragma once

#include <cstdint>

namespace aim::rows {

void FromBf16(const uint16_t* in, float* out, int64_t n);
void ToBf16(const float* in, uint16_t* out, int64_t n);  // rounds to nearest even

float Sum(const float* x, int64_t n);
float SquaredDistance(const float* x, float centre, int64_t n);  // sum (x - centre)^2
float Dot(const float* x, const float* y, int64_t n);

// out = (x - mean) * inv_std * (1 + scale) + shift
void Modulate(const float* x, float mean, float inv_std, const float* shift, const float* scale,
              float* out, int64_t n);
// Backward of Modulate: adds to d_shift and d_scale, leaves in `d_xhat` the gradient of the
// normalised x and returns its sum and its dot product with the normalised x.
struct NormSums {
  float sum;
  float dot;
};
NormSums ModulateBackward(const float* x, float mean, float inv_std, const float* scale,
                          const float* d_out, float* d_shift, float* d_scale, float* d_xhat,
                          int64_t n);
// d_x = inv_std * (d_xhat - sums.sum / n - xhat * sums.dot / n)
void NormBackward(const float* x, float mean, float inv_std, const float* d_xhat, NormSums sums,
                  float* d_x, int64_t n);

void Add(const float* x, const float* y, float* out, int64_t n);  // x + y
void AddInPlace(const float* x, float* out, int64_t n);           // out += x
void MultiplyAdd(const float* x, const float* y, const float* gate, float* out,
                 int64_t n);  // x + y gate
// d_y = d_out * gate; d_gate += d_out * y
void GateBackward(const float* d_out, const float* y, const float* gate, float* d_y, float* d_gate,
                  int64_t n);

// out = x * inv_rms * weight
void ScaleByWeight(const float* x, float inv_rms, const float* weight, float* out, int64_t n);
// d_weight += d_out * x * inv_rms; d_x = inv_rms * (d_out w - x inv_rms^2 / n * dot(d_out w, x))
void RmsBackward(const float* x, float inv_rms, const float* weight, const float* d_out,
                 float* d_weight, float* d_x, int64_t n);
// Rotates interleaved pairs of one head in place; sign -1 turns back.
void Rotate(float* x, const float* cos, const float* sin, float sign, int64_t pairs);

// GELU in its tanh form, and d_x = d_out * its derivative.
void Gelu(const float* x, float* out, int64_t n);
void GeluBackward(const float* x, const float* d_out, float* d_x, int64_t n);

// RMSNorm without an added eps, then SiLU: y = x root_n / max(|x|, 1e-12) * gamma, y / (1 +
// exp(-y)).
void NormSilu(const float* x, const float* gamma, float root_n, float* out, int64_t n);

}  // namespace aim::rows
