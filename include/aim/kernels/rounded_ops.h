// The row-wise pieces of a block as the released weights were trained: plain operations whose
// result is rounded to the input's type after each one. docs/reference/wan22.md 6.1, column
// DiffSynth.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim::rounded {

// Arguments as in rows.h; all of one type, which is also the result's.
at::Tensor ModulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& camera, double eps);
at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);
at::Tensor NormRope(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                    const at::Tensor& sin, int64_t num_heads, double eps);

}  // namespace aim::rounded
