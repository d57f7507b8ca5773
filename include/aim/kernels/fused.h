// Row-wise pieces of a transformer block, forward and backward in one pass each. On the CPU they
// are loops that touch memory once; on other devices the same formulas in ATen operations.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim {

// LN(x) (1 + scale) + shift (+ camera), LN without weights over the last axis, statistics in f32.
//
//   x             [B, N, D]  f32 or bf16
//   shift, scale  [B, G, D]  f32; N is a multiple of G and group g modulates tokens
//                            [g N / G, (g + 1) N / G)
//   camera        undefined, or [B, C, D] in out_dtype, each row added to N / C tokens
//   returns       [B, N, D]  out_dtype
at::Tensor ModulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& camera, at::ScalarType out_dtype, double eps);

// x + y * gate. x [B, N, D], y [B, N, D] in any dtype, gate [B, G, D] f32 as above; returns x's
// dtype.
at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);

// RMSNorm over the full width, then the rotation of each head's interleaved pairs.
//
//   x         [B, N, D]   f32 or bf16, D = heads * head_dim
//   weight    [D] f32
//   cos, sin  [N, head_dim / 2] f32, or undefined for no rotation
//   returns   [B, N, D] in x's dtype
at::Tensor NormRope(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                    const at::Tensor& sin, int64_t num_heads, double eps);

// The rotation alone, in ATen operations: x [B, N, D] f32, contiguous.
at::Tensor RotatePairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                       int64_t num_heads);

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), any shape, f32 or bf16.
at::Tensor GeluTanh(const at::Tensor& x);

// The same four in plain ATen operations: the reference of the tests and the path of other devices.
at::Tensor ModulatedNormPlain(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                              const at::Tensor& camera, at::ScalarType out_dtype, double eps);
at::Tensor GatedAddPlain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);
at::Tensor NormRopePlain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                         const at::Tensor& sin, int64_t num_heads, double eps);
at::Tensor GeluTanhPlain(const at::Tensor& x);

}  // namespace aim
