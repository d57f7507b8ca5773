// How far a tensor is from the expected one.
#pragma once

#include <ATen/ATen.h>

namespace aim::testing {

// The largest difference, as a share of the largest expected value.
inline double RelativeError(const at::Tensor& value, const at::Tensor& expected) {
  return ((value - expected).abs().max() / expected.abs().max()).item<double>();
}

}  // namespace aim::testing
