// The operations of rows.h as formulas in ATen operations: what tests compare with, and what runs
// on devices that have no code of their own. Differentiable, any floating dtype.
#pragma once

#include <ATen/core/Tensor.h>

#include "aim/kernels/rows.h"

namespace aim {

at::Tensor ModulatedNormPlain(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                              const at::Tensor& camera, at::ScalarType out_dtype, double eps);
at::Tensor GatedAddPlain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);
ResidualAndNorm GatedAddNormPlain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate,
                                  const at::Tensor& shift, const at::Tensor& scale,
                                  const at::Tensor& camera, at::ScalarType out_dtype, double eps);
at::Tensor NormRopePlain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                         const at::Tensor& sin, int64_t num_heads, double eps);
at::Tensor GeluTanhPlain(const at::Tensor& x);

// The rotation of NormRope alone: x [B, N, D] f32, contiguous.
at::Tensor RotatePairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                       int64_t num_heads);

}  // namespace aim
