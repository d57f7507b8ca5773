// The sizes of an architecture, read off the shapes of its weights.
#pragma once

#include <string>

#include "aim/model/dit_options.h"
#include "aim/model/wan_vae_options.h"
#include "aim/tensor/weights.h"
#include "aim/text/umt5.h"

namespace aim {

// All take weights under their original names, and throw InputError, naming `where` and the weight,
// if one that they need is missing or has the wrong rank. That every other weight fits the sizes is
// for CheckWeights to say.

// `num_heads` 0 means one head for 128 channels, as every released model has. A network with camera
// encoders gets the released conditioning: pooled latents seen from the first camera, in axes that
// point left, up and forward. What weights do not show (prediction, timestep mode, positions) has
// the released values: velocity, scalar, canvas.
DitOptions DitOptionsOf(const WeightMap& weights, const std::string& where, int num_heads = 0);

// Latent statistics are the released ones if the number of latent channels is (48 or 16), else the
// identity.
WanVaeOptions WanVaeOptionsOf(const WeightMap& weights, const std::string& where);

Umt5Options Umt5OptionsOf(const WeightMap& weights, const std::string& where);

}  // namespace aim
