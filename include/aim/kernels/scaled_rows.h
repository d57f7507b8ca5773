// The operations of rows.h in front of a ScaledProduct: what they give is quantised in the same
// pass, from float32, on a GPU; elsewhere behind it. No gradients. Arguments as in rows.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "aim/kernels/scaled_product.h"

namespace aim {

ScaledRows ScaledModulatedNorm(const at::Tensor& x, const at::Tensor& shift,
                               const at::Tensor& scale, const at::Tensor& camera, double eps);

struct ResidualAndScaledNorm {
  at::Tensor residual;  // [B, N, D] x's dtype
  ScaledRows normed;    // [B, N, D]
};
ResidualAndScaledNorm ScaledGatedAddNorm(const at::Tensor& x, const at::Tensor& y,
                                         const at::Tensor& gate, const at::Tensor& shift,
                                         const at::Tensor& scale, const at::Tensor& camera,
                                         double eps);

ScaledRows ScaledGeluTanh(const at::Tensor& x);

}  // namespace aim
