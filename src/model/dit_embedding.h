// What goes into the DiT and comes out of it beside its blocks: tokens, timesteps, positions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "aim/model/dit.h"

namespace aim {

// [U] -> [U, width] float64: cosines first (docs/reference/wan22.md 2.3).
at::Tensor TimeSinusoid(const at::Tensor& timestep, int64_t width);

// Timesteps [B, G] as the values that occur and which of them each group has. Neighbours that share
// one in every sample are joined, so that one a token usually becomes one a latent frame.
struct DistinctTimesteps {
  std::vector<float> values;   // [U]
  std::vector<int64_t> index;  // [B, groups]
  int64_t groups = 1;          // a divisor of G
};
DistinctTimesteps FindDistinct(const at::Tensor& timestep);

// Angles of one axis: position * 10000^(-2 j / n), j = 0 .. n/2 - 1. [positions, n/2] float64.
at::Tensor AxisAngles(const at::Tensor& positions, int64_t n);

// [N, head_dim / 2] float64: angles over (frame, row, column). docs/reference/wan22.md 2.4.
at::Tensor RopeAngles(const CanvasLayout& layout, int64_t head_dim, int64_t patch);

int64_t TokensPerFrame(const DitOptions& options, const CanvasLayout& layout);

// [B, C, F, h, w] -> [B, N, C * patch * patch] in the order (c, row, column) of the patch Conv3d.
at::Tensor Patchify(const at::Tensor& latents, int64_t patch);

// [B, N, patch * patch * C] -> [B, C, F, h, w]; the head's rows hold (row, column, c), the channel
// fastest. docs/reference/wan22.md 2.5.
at::Tensor Unpatchify(const at::Tensor& tokens, const CanvasLayout& layout, int64_t channels,
                      int64_t patch);

}  // namespace aim
