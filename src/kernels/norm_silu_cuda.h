// The passes over the frames of a video autoencoder on an NVIDIA GPU, one launch each: a pixel's
// channels are read once, kept in registers in float32 and rounded once.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim::cuda {

// Channels that the kernels take, a multiple of 8 up to 1024, and types: float32, bfloat16.
bool HasFittingChannels(const at::Tensor& x);

// As aim::NormSiluInto. All contiguous but `out`, whose batch items may lie apart.
void NormSiluInto(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& gamma,
                  const at::Tensor& out);

// sum += other + bias; bias [C] of their type.
void AddWithBias(const at::Tensor& sum, const at::Tensor& bias, const at::Tensor& other);

}  // namespace aim::cuda
