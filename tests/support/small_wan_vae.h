// A Wan autoencoder of a few channels.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "aim/model/wan_vae.h"

namespace aim::testing {

// Of the 2.2 kind if `residual`, else of the 2.1 kind.
inline WanVaeOptions SmallWanVae(bool residual) {
  WanVaeOptions options;
  options.base_dim = 4;
  options.decoder_base_dim = 6;
  options.z_dim = 3;
  options.patch_size = residual ? 2 : 1;
  options.is_residual = residual;
  options.latents_mean = {0.1, -0.2, 0.3};
  options.latents_std = {0.5, 1.25, 0.8};
  return options;
}

inline at::Tensor Random(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

inline at::Tensor RandomVideo(at::IntArrayRef shape, uint64_t seed) {
  return Random(shape, seed).tanh();
}

inline WeightMap RandomWeights(const WanVaeOptions& options, uint64_t seed) {
  WeightMap weights;
  for (const auto& [name, shape] : WanVaeWeightShapes(options)) {
    at::Tensor values = Random(shape, ++seed);
    const double fan_in = static_cast<double>(values.numel() / values.size(0));
    if (name.ends_with("gamma")) {
      values = 1 + 0.2 * values;
    } else {
      values = values * (name.ends_with("bias") ? 0.2 : 1 / std::sqrt(fan_in));
    }
    weights[name] = values;
  }
  return weights;
}

}  // namespace aim::testing
