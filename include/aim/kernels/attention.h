// Scaled dot-product attention over heads.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim {

// softmax(query key^T / sqrt(head_dim) + key_bias) value.
//
//   query       [B, heads, N, head_dim]  f32 or bf16
//   key, value  [B, heads, L, head_dim]  the same type
//   key_bias    [B, L] f32, added to every score of a key, -infinity for a key that is not there
//               (not all of them); undefined for none
//   returns     [B, N, heads * head_dim] in that type
//
// Differentiable in the first three. On a CPU with AVX-512, float32 without gradients goes through
// a kernel of our own; on CUDA without gradients and bias through the fastest of ATen's that takes
// them (cuDNN's, flash, memory-efficient); everything else as ATen chooses.
at::Tensor Attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  const at::Tensor& key_bias);

// The same by ATen alone: the reference of the tests.
at::Tensor AttendPlain(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       const at::Tensor& key_bias);

}  // namespace aim
