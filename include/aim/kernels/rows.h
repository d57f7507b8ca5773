// Row-wise pieces of a transformer block: one pass over each row, forward and backward, on the
// device of their tensors. src/kernels/row_backend.h says where a device's code goes; devices
// without any run the formulas of rows_plain.h in ATen operations.
//
// Letters of the shapes: a modulation has G rows a sample, N is a multiple of G and row g belongs
// to tokens [g N / G, (g + 1) N / G). A camera has C rows a sample in the same way.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim {

// LN(x) (1 + scale) + shift (+ camera), LN without weights over the last axis, statistics in f32.
//
//   x             [B, N, D]  f32 or bf16
//   shift, scale  [B, G, D]  f32
//   camera        undefined, or [B, C, D] in out_dtype
//   returns       [B, N, D]  out_dtype
at::Tensor ModulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& camera, at::ScalarType out_dtype, double eps);

// x + y * gate. x [B, N, D], y [B, N, D] in any dtype, gate [B, G, D] f32, or undefined for x + y;
// returns x's dtype.
at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);

// GatedAdd and the ModulatedNorm of its result, in one pass.
struct ResidualAndNorm {
  at::Tensor residual;  // [B, N, D] x's dtype
  at::Tensor normed;    // [B, N, D] out_dtype
};
ResidualAndNorm GatedAddNorm(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate,
                             const at::Tensor& shift, const at::Tensor& scale,
                             const at::Tensor& camera, at::ScalarType out_dtype, double eps);

// RMSNorm over the full width, then the rotation of each head's interleaved pairs.
//
//   x         [B, N, D]   f32 or bf16, D = heads * head_dim
//   weight    [D] f32
//   cos, sin  [N, head_dim / 2] f32, or undefined for no rotation
//   returns   [B, N, D] in x's dtype
at::Tensor NormRope(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                    const at::Tensor& sin, int64_t num_heads, double eps);

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), any shape, f32 or bf16.
at::Tensor GeluTanh(const at::Tensor& x);

}  // namespace aim
