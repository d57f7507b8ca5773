// The attention of attention.h in float32 on a CPU with AVX-512, without gradients.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim {

// Whether AttendCpu takes these, on this processor. Undefined `key_bias` for none.
bool AttendCpuFits(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

at::Tensor AttendCpu(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const at::Tensor& key_bias);

}  // namespace aim
