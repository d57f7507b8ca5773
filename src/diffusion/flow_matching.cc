#include "aim/diffusion/flow_matching.h"

#include <ATen/ATen.h>

namespace aim {

double ShiftSigma(double u, double shift) { return shift * u / (1.0 + (shift - 1.0) * u); }

std::vector<double> InferenceSigmas(int num_steps, double shift) {
  std::vector<double> sigmas;
  for (int i = 0; i <= num_steps; ++i) {
    sigmas.push_back(ShiftSigma(1.0 - static_cast<double>(i) / num_steps, shift));
  }
  return sigmas;
}

at::Tensor ToClean(const DitOptions& options, const at::Tensor& output, const at::Tensor& latents,
                   const at::Tensor& sigma) {
  return options.prediction == Prediction::kClean ? output : latents - sigma * output;
}

at::Tensor ToVelocity(const DitOptions& options, const at::Tensor& output,
                      const at::Tensor& latents, const at::Tensor& sigma) {
  return options.prediction == Prediction::kClean ? (latents - output) / sigma : output;
}

}  // namespace aim
