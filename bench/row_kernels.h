// The row operations as a network calls them: by the kernels of the GPU where this build has them,
// else by their formulas.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#ifdef AIM_ROW_KERNELS
#include "kernels/rows_cuda.h"
#else
namespace aim::cuda {
struct Modulation {
  at::Tensor shift, scale, camera;
};
struct Rotation {
  at::Tensor cos, sin;
  int64_t num_heads = 1;
};
}  // namespace aim::cuda
#endif

namespace aim::row_ops {

struct Added {
  at::Tensor residual, rows;
};

at::Tensor ModulatedNorm(const at::Tensor& x, const cuda::Modulation& modulation,
                         at::ScalarType out_dtype);
at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);
// An undefined gate stands for one.
Added GatedAddNorm(const at::Tensor& residual, const at::Tensor& y, const at::Tensor& gate,
                   const cuda::Modulation& modulation);
std::vector<at::Tensor> NormRope(const std::vector<at::Tensor>& x,
                                 const std::vector<at::Tensor>& weights,
                                 const cuda::Rotation& rotation);
void GeluTanhInPlace(at::Tensor& x);

constexpr double kEps = 1e-6;

}  // namespace aim::row_ops
