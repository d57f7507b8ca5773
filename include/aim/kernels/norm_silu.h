// The norm of the video autoencoder, alone and with SiLU behind it. Channels are the last axis.
#pragma once

#include <ATen/core/Tensor.h>

namespace aim {

// x sqrt(C) / max(|x|, 1e-12) * gamma over the last axis; statistics in float32 for narrower types.
at::Tensor ChannelNorm(const at::Tensor& x, const at::Tensor& gamma);

// SiLU of it, of x + bias where there is one, written to `out`: frames of a larger tensor,
// contiguous within each batch item. One pass in float32 on a CPU, and on CUDA.
//   x, out  [B, T, H, W, C];  bias  [C] or undefined;  gamma  [C]
void NormSiluInto(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& gamma,
                  const at::Tensor& out);

// The same in ATen operations: the reference of the tests and the path of other devices and types.
at::Tensor NormSiluPlain(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& gamma);

}  // namespace aim
