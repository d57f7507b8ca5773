// Flow matching: x_sigma = (1 - sigma) clean + sigma noise. docs/reference/wan22.md section 5.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "aim/model/dit_options.h"

namespace aim {

// shift u / (1 + (shift - 1) u): more of the schedule at high noise for shift > 1.
double ShiftSigma(double u, double shift);

// n + 1 noise levels from 1 to 0: u = 1, (n-1)/n, ..., 0, shifted.
std::vector<double> InferenceSigmas(int num_steps, double shift);

// The clean latents and the velocity (noise - clean) that the head's output stands for.
//   latents, output  [B, C, F, h, w];  sigma  broadcastable, > 0
at::Tensor ToClean(const DitOptions& options, const at::Tensor& output, const at::Tensor& latents,
                   const at::Tensor& sigma);
at::Tensor ToVelocity(const DitOptions& options, const at::Tensor& output,
                      const at::Tensor& latents, const at::Tensor& sigma);

}  // namespace aim
