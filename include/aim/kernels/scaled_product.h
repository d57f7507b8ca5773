// Matrix products of eight-bit floats (e4m3: up to 448, three bits behind the leading one), every
// row of either factor with a scale of its own. On a GPU that has units for them (compute
// capability 8.9 and newer) by those; elsewhere the same numbers, multiplied in float32: slow, for
// measuring what the eight bits do.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace aim {

// values * scale, row by row.
struct ScaledRows {
  at::Tensor values;  // [..., K] float8_e4m3fn
  at::Tensor scale;   // [...] float32
};

// Each row by its largest magnitude: scale = largest / 448, values = row / scale, rounded to
// nearest. A row of zeros stays one; a row with NaN or infinity becomes NaN.
//   x  [..., K] float32 or bfloat16, contiguous; no gradients
ScaledRows QuantiseRows(const at::Tensor& x);

// In float32.
at::Tensor Dequantise(const ScaledRows& rows);

// x weight^T + bias in bfloat16; sums in float32 (of fewer bits on a GPU), rounded once.
//   x  [..., K], weight  [N, K], bias  [N] bfloat16; K and N multiples of kScaledMultiple
at::Tensor ScaledProduct(const ScaledRows& x, const ScaledRows& weight, const at::Tensor& bias);

inline constexpr int64_t kScaledMultiple = 16;

// Whether `device` has such units and this build the kernels that feed them.
bool HasScaledUnits(c10::Device device);

}  // namespace aim
