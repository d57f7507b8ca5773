// The fastest of ATen's fused attention kernels on a GPU, by name.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace aim {

// The first of cuDNN's, flash and memory-efficient attention that takes these: of an H100's two
// fast ones the first is twice as fast as the second. Nothing where none does, or where gradients
// are wanted: ATen's own choice keeps what its backward needs.
//   query  [B, heads, N, head_dim]; key, value  [B, heads, L, head_dim]
//   returns  [B, heads, N, head_dim], laid out in memory as the query
std::optional<at::Tensor> AttendByName(const at::Tensor& query, const at::Tensor& key,
                                       const at::Tensor& value);

}  // namespace aim
