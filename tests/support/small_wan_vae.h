// A Wan autoencoder of a few channels.
#pragma once

#include "aim/model/wan_vae_options.h"

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

}  // namespace aim::testing
