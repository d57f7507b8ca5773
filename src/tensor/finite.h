// The check of a weight for NaN and Inf.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim {

// Whether the tensor holds neither NaN nor Inf; true for those that are not floating-point. Needs
// no second tensor of its size, unless it is not contiguous.
bool HasOnlyFinite(const at::Tensor& weight);

}  // namespace aim
