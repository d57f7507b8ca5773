// The released network, and weights of any of its sizes that nobody trained.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "aim/model/dit_options.h"
#include "aim/tensor/weights.h"

namespace aim {

DitOptions ReleasedDit();

// Scaled so that every weight matters and activations stay in range through any number of layers.
WeightMap RandomWeights(const ShapeMap& shapes, c10::Device device,
                        const std::function<at::ScalarType(const std::string&)>& dtype_of);

}  // namespace aim
